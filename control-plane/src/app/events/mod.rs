//! Events: whose they are, who may follow them, and who is told of them.

pub(crate) mod deliveries;
pub(crate) mod endpoints;

use ids::{OrganizationId, PartnerId};
use model::{Error, events::Owner};
use sqlx::PgConnection;
use store::events::Event;

use super::{Caller, Ctx, Failure, organizations, partners};
use crate::state::State;

/// Whose events a request is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose {
    /// An organization's, for its members.
    Organization(OrganizationId),
    /// The asking partner's own.
    Own,
    /// A partner's, for operators.
    Partner(PartnerId),
}

/// What a caller wants of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Administer,
}

/// The owner that is meant, if the caller may do this with its events.
async fn owner(conn: &mut PgConnection, ctx: &Ctx, whose: Whose, access: Access) -> Result<Owner, Failure> {
    match whose {
        Whose::Own => Ok(Owner::Partner(partners::partner(ctx)?.id)),
        Whose::Partner(id) => {
            let operator = matches!(&ctx.caller, Caller::User(user) if user.operator);
            if !operator {
                return Err(Error::not_found("route.not_found", "Route").into());
            }
            let found = store::partners::find(conn, id).await?;
            Ok(Owner::Partner(found.ok_or_else(partners::not_found)?.id))
        }
        Whose::Organization(id) => {
            let membership = organizations::find(conn, ctx, id).await?;
            if access == Access::Administer && !membership.role.may_administer() {
                return Err(Error::forbidden("Only administrators may manage who is told of events").into());
            }
            Ok(Owner::Organization(id))
        }
    }
}

/// Published events after a position, oldest first.
pub(crate) async fn list(
    state: &State,
    ctx: &Ctx,
    whose: Whose,
    after: i64,
    limit: i64,
) -> Result<Vec<Event>, Failure> {
    let mut conn = state.connection().await?;
    let owner = owner(&mut conn, ctx, whose, Access::Read).await?;
    Ok(store::events::list(&mut conn, owner, after, limit).await?)
}
