//! Lets the gateway wake, put to sleep and connect to the projects of the local provider, in this process.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use gateway::{PostgresStream, WakeError, Waker};
use ids::ProjectId;
use providers_local::LocalNode;

/// The local provider as the gateway sees it.
pub(crate) struct LocalWaker(pub(crate) Arc<LocalNode>);

#[async_trait]
impl Waker for LocalWaker {
    async fn wake(&self, project_id: ProjectId) -> Result<SocketAddr, WakeError> {
        self.0.wake(project_id).await.map_err(explain)
    }

    async fn sleep(&self, project_id: ProjectId, idle_for: Duration) -> Result<bool, WakeError> {
        self.0.sleep(project_id, idle_for).await.map_err(explain)
    }

    async fn connect_postgres(&self, project_id: ProjectId) -> Result<Option<PostgresStream>, WakeError> {
        let stream = self.0.connect_postgres(project_id).await.map_err(explain)?;
        Ok(stream.map(|stream| Box::new(stream) as PostgresStream))
    }
}

fn explain(error: providers::Error) -> WakeError {
    match error {
        providers::Error::Missing(_) => WakeError::Unknown,
        providers::Error::Refused(reason) | providers::Error::Full(reason) => WakeError::Refused(reason),
        transient @ providers::Error::Transient { .. } => WakeError::Failed(Box::new(transient)),
    }
}
