//! Data in bulk: exported as SQL or JSON, imported from SQL, upserted from CSV or JSON.

mod bulk_upsert;
mod catalog;
mod export;
mod form;
mod import;
mod json;
mod records_file;
mod sql;

pub(super) use bulk_upsert::bulk_upsert;
pub(crate) use catalog::describe_table;
pub(super) use export::export;
pub(super) use import::import;

use crate::http::Error;

/// What Postgres says against a statement out of a caller's file is about that file.
fn refusal(prefix: &str, error: tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(refused) => Error::invalid_input(format!("{prefix}{}", refused.message())),
        None => error.into(),
    }
}
