//! The saga vocabulary: what a durable operation is made of, and the engine that carries it out.
//!
//! A saga is data: an ordered list of named steps over a serialisable input and state. The control plane names operations and starts
//! them; workflows define their steps. Neither knows which engine runs them.

mod engine;
pub mod operations;
mod step;

pub use engine::{Engine, EngineError, StartOperation};
pub use operations::OperationKind;
pub use step::{BoxFuture, RetryPolicy, Saga, Step, StepContext, StepError, StepFunction};
