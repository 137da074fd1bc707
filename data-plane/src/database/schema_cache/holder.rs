//! Keeps the current schema cache and replaces it when the schema has changed.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Mutex;
use tokio_postgres::types::{ToSql, Type};

use super::{INTERNAL_SCHEMAS, SchemaCache, document};
use crate::{authentication::Role, pools::TENANT_USER, state::App};

/// The roles whose settings count.
const ROLES: [Role; 3] = [Role::Anon, Role::Authenticated, Role::ProjectAdmin];

/// Why the catalog could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReloadError {
    /// No connection was to be had.
    #[error("taking a connection to read the catalog")]
    Connection(#[from] deadpool_postgres::PoolError),
    /// The query failed.
    #[error("reading the catalog")]
    Query(#[from] tokio_postgres::Error),
    /// Its answer is not the document it should be.
    #[error("understanding the catalog")]
    Document(#[from] serde_json::Error),
}

/// The current cache, shared by all requests.
#[derive(Debug, Default)]
pub(crate) struct SchemaCaches {
    current: RwLock<Option<Arc<SchemaCache>>>,
    /// Held while the catalog is read, so that a slow read never replaces a newer one.
    reloading: Mutex<()>,
}

impl SchemaCaches {
    /// A cache that is true now: the one at hand unless the schema has changed since it was read. Requests under way keep the
    /// picture they started with.
    pub(crate) async fn current(&self, app: &App) -> Result<Arc<SchemaCache>, ReloadError> {
        let generation = app.schema_changes.generation(&app.pools).await?;
        if let Some(cache) = self.at_hand(generation) {
            return Ok(cache);
        }
        let _reloading = self.reloading.lock().await;
        // Asked again: the schema may have changed while another request was reading it.
        let generation = app.schema_changes.generation(&app.pools).await?;
        match self.at_hand(generation) {
            Some(cache) => Ok(cache),
            None => self.read(app, generation).await,
        }
    }

    fn at_hand(&self, generation: u64) -> Option<Arc<SchemaCache>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().filter(|cache| cache.generation == generation).cloned()
    }

    async fn read(&self, app: &App, generation: u64) -> Result<Arc<SchemaCache>, ReloadError> {
        let client = app.pools.internal().await?;
        let schemas = INTERNAL_SCHEMAS.as_slice();
        let roles = ROLES.map(Role::as_str);
        let parameters: [(&(dyn ToSql + Sync), Type); 3] =
            [(&schemas, Type::TEXT_ARRAY), (&roles.as_slice(), Type::TEXT_ARRAY), (&TENANT_USER, Type::NAME)];
        // Sent as one batch: the setting must hold for the query and for nothing after it.
        let (begun, rows, ended) = futures::join!(
            client.batch_execute("begin read only; set local search_path = ''"),
            client.query_typed(document::QUERY, &parameters),
            client.batch_execute("commit"),
        );
        begun?;
        let rows = rows?;
        ended?;
        let text: &str = rows.first().map_or(Ok(""), |row| row.try_get(0))?;
        let mut cache = serde_json::from_str::<document::Document>(text)?.into_cache();
        cache.generation = generation;
        let cache = Arc::new(cache);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&cache));
        Ok(cache)
    }
}
