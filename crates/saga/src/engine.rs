//! The engine seam: how the control plane hands an operation over, whichever engine runs it.

use async_trait::async_trait;
use ids::OperationId;

use crate::OperationKind;

/// An operation to carry out. The id was chosen, and the operation row written, before this is called.
#[derive(Clone, Debug)]
pub struct StartOperation {
    /// Operation id; also the saga's id.
    pub id: OperationId,
    /// Which saga.
    pub kind: OperationKind,
}

/// The engine could not take the operation now; the sweep starts it later.
#[derive(Debug, thiserror::Error)]
#[error("could not hand the operation to the engine")]
pub struct EngineError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Carries out operations. Starting one twice is harmless.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Makes sure the operation runs.
    ///
    /// # Errors
    /// When the engine cannot be reached; the operation row remains and is started later.
    async fn start(&self, operation: StartOperation) -> Result<(), EngineError>;
}
