//! Engines carry out sagas. `embedded` does it on the control database; an engine on another durable-execution system interprets the same
//! [`Definition`]s.

mod definition;
pub mod embedded;

pub use definition::{Acted, Definition, Direction, StepDescription, define};
