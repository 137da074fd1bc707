//! The database area: the data API, tables, raw SQL, migrations and listings.
//!
//! `records` serves developers' applications under the caller's role; everything else is for administrators.

use std::sync::Arc;

use axum::{
    Router,
    routing::{any, get, post},
};

mod admin_records;
pub(crate) mod backups;
mod data_api;
mod listings;
mod migrations;
mod quoting;
mod raw_sql;
mod records;
mod schema_cache;
mod tables;
mod transfer;
pub(crate) mod wire;

pub(crate) use data_api::DataApiRequest;
pub(crate) use quoting::{identifier as quoted_identifier, qualified as qualified_name};
pub(crate) use transfer::describe_table;

use crate::state::App;
use schema_cache::SchemaCaches;

/// What this area keeps between requests.
#[derive(Debug, Default)]
pub struct Database {
    caches: SchemaCaches,
    backups: backups::Busy,
}

/// Routes under `/api/database`.
pub fn router() -> Router<Arc<App>> {
    let tables = Router::new()
        .route("/", get(tables::list).post(tables::create))
        .route("/{table}/schema", get(tables::show).patch(tables::update))
        .route("/{table}", axum::routing::delete(tables::delete));
    let migrations = Router::new()
        .route("/", get(migrations::list).post(migrations::create))
        .route("/dry-run", post(migrations::dry_run));
    let admin_records = Router::new()
        .route(
            "/",
            get(admin_records::list)
                .post(admin_records::create)
                .patch(admin_records::update)
                .delete(admin_records::delete),
        )
        .route("/lookup", get(admin_records::look_up));
    Router::new()
        .route("/records/{table}", any(data_api::serve_records))
        .route("/rpc/{function}", any(data_api::serve_rpc))
        .nest("/tables", tables)
        .nest("/migrations", migrations)
        .nest("/admin/tables/{table}/records", admin_records)
        .route("/advance/rawsql", post(raw_sql::run_restricted))
        .route("/advance/rawsql/unrestricted", post(raw_sql::run_unrestricted))
        .route("/advance/export", post(transfer::export))
        .route("/advance/import", post(transfer::import))
        .route("/advance/bulk-upsert", post(transfer::bulk_upsert))
        .merge(backups::router())
        .route("/schemas", get(listings::list_schemas))
        .route("/functions", get(listings::list_functions))
        .route("/indexes", get(listings::list_indexes))
        .route("/policies", get(listings::list_policies))
        .route("/triggers", get(listings::list_triggers))
}

/// A transaction that describes what tenants made: as the administrator, with the names of schema public unqualified, as developers write
/// them. Whatever a tenant's functions capture there runs with the tenant's own rights.
///
/// # Errors
/// Postgres cannot be reached.
pub(crate) async fn read_catalog(app: &App) -> crate::http::Result<crate::transaction::Transaction> {
    crate::transaction::begin(&app.pools, &crate::transaction::Context::admin().read_only()).await
}

impl Database {
    /// Makes sure that the next request sees a change of the schema that was just committed, on this process and on others.
    ///
    /// # Errors
    /// Postgres cannot be reached.
    pub async fn schema_changed(app: &App) -> crate::http::Result<()> {
        app.schema_changes.changed();
        app.database.caches.current(app).await?;
        Ok(())
    }

    /// The exposed schemas as they are now.
    async fn cache(app: &App) -> crate::http::Result<Arc<schema_cache::SchemaCache>> {
        Ok(app.database.caches.current(app).await?)
    }
}

impl From<schema_cache::ReloadError> for crate::http::Error {
    fn from(error: schema_cache::ReloadError) -> Self {
        match error {
            schema_cache::ReloadError::Connection(error) => error.into(),
            schema_cache::ReloadError::Query(error) => error.into(),
            document @ schema_cache::ReloadError::Document(_) => Self::internal("read the catalog", &document),
        }
    }
}
