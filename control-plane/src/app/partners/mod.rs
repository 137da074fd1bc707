//! Partners: who they are, what they may do, and what they do. A partner sees only what was made through it.

pub(crate) mod accounts;
pub(crate) mod authenticate;
pub(crate) mod guesses;
pub mod manage;
pub(crate) mod projects;
pub(crate) mod usage;

use ids::PartnerId;
use model::Error;
use sqlx::PgConnection;
use store::partners::Partner;

use super::{Caller, Ctx, Failure};

pub(crate) fn not_found() -> Error {
    Error::not_found("partner.not_found", "Partner")
}

/// The partner who asks.
///
/// # Errors
/// Forbidden, when it is no partner.
pub(crate) fn partner(ctx: &Ctx) -> Result<&Partner, Error> {
    match &ctx.caller {
        Caller::Partner(partner) => Ok(partner),
        Caller::User(_) => Err(Error::forbidden("Only a partner may do this")),
    }
}

/// Refuses another active project beyond what the partner may have. Locks the partner, so that the limit holds for concurrent callers.
pub(crate) async fn check_project_limit(conn: &mut PgConnection, id: PartnerId) -> Result<(), Failure> {
    store::partners::lock(conn, id).await?;
    let partner = store::partners::find(conn, id).await?.ok_or_else(not_found)?;
    let Some(limit) = partner.allowances.project_limit else { return Ok(()) };
    if store::projects::count_active_of_partner(conn, id).await? < i64::from(limit) {
        return Ok(());
    }
    let text = format!("This partner may have up to {limit} active projects. Pause or delete one first.");
    Err(Error::quota_exceeded("project.quota_exceeded", text).into())
}
