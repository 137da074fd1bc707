//! What Hearth needs from a place that runs projects, in our words. Every call is idempotent; dropping nothing succeeds.
//!
//! Reading and changing are different traits. A provider may be slow, may fail at any point and may have done what it reports as
//! failed; callers tolerate all three. `fake` is a provider in memory that fails on request; `suite` is what every provider passes.

mod compute;
mod database;
mod error;
pub mod fake;
pub mod suite;

pub use compute::{Compute, ComputeReader, DataPlaneDescription, DataPlaneSpec};
pub use database::{Database, DatabaseDescription, DatabaseReader, DatabaseSource, DatabaseSpec};
pub use error::{Error, Result};
