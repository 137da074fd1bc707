//! All SQL of the control database, one file per table noun. Every function takes the connection first, so the caller owns the transaction.

pub mod activities;
pub mod api_keys;
pub mod audit_log;
pub mod branches;
pub mod events;
pub mod heartbeats;
pub mod idempotency_keys;
pub mod idle_projects;
pub mod members;
pub mod merges;
pub mod operation_events;
pub mod operation_leases;
pub mod operation_steps;
pub mod operations;
pub mod organizations;
pub mod partner_secrets;
pub mod partner_users;
pub mod partners;
pub mod project_activity;
pub mod project_secrets;
pub mod projects;
pub mod quotas;
pub mod sessions;
pub mod shared_sign_ins;
pub mod signing_keys;
pub mod usage;
pub mod usage_days;
pub mod usage_rebuild;
pub mod usage_totals;
pub mod users;
pub mod webhook_deliveries;
pub mod webhook_endpoints;

use std::str::FromStr;

use sqlx::PgPool;

/// Brings the control database to this build's schema. Forward only; several callers at once are fine.
///
/// # Errors
/// When the database cannot be reached, or was changed by a newer build.
pub async fn migrate(pool: &PgPool) -> Result<(), sqlx::migrate::MigrateError> {
    sqlx::migrate!("../../migrations/control-plane").run(pool).await
}

/// The constraint that refused a statement, by name, so that callers can give it a meaning.
#[must_use]
pub fn violated_constraint(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::constraint)
}

/// The words of a list as they are recorded; absent stays absent.
fn texts<T: Copy>(words: Option<&[T]>, text: impl Fn(T) -> &'static str) -> Option<Vec<String>> {
    words.map(|words| words.iter().map(|&word| text(word).to_owned()).collect())
}

/// Reads a recorded list of words; absent stays absent.
fn parse_list<T>(texts: Option<Vec<String>>) -> sqlx::Result<Option<Vec<T>>>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    texts.map(|texts| texts.iter().map(|text| parse(text)).collect()).transpose()
}

/// Reads a recorded word. A word this build does not know is damage, or a newer build's.
fn parse<T>(text: &str) -> sqlx::Result<T>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
