//! The embedded engine: operations are rows of the control database, taken under leases with fencing tokens, carried out step by step, every
//! move recorded before it is made. Several workers may run; two that believe to hold one lease cannot both write.

mod backoff;
mod execution;
mod lease;
mod record;
mod settings;
mod worker;

use async_trait::async_trait;
use saga::{Engine, EngineError, StartOperation};
use sqlx::PgPool;

pub use settings::Settings;
pub use worker::{Worker, WorkerHandle};

/// Hands operations to whichever workers listen on the control database.
#[derive(Clone, Debug)]
pub struct EmbeddedEngine {
    pool: PgPool,
}

impl EmbeddedEngine {
    /// An engine on this control database.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl Engine for EmbeddedEngine {
    async fn start(&self, _operation: StartOperation) -> Result<(), EngineError> {
        let mut conn = self.pool.acquire().await.map_err(|cause| EngineError(Box::new(cause)))?;
        store::operations::announce_due(&mut conn).await.map_err(|cause| EngineError(Box::new(cause)))
    }
}
