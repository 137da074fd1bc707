//! The pure domain: state machines, statuses, quotas, plans and limits, usage, sealed secrets, and the one error that use-cases return.

pub mod billing;
pub mod branches;
pub mod errors;
pub mod events;
pub mod instances;
pub mod limits;
pub mod organizations;
pub mod partners;
pub mod projects;
pub mod quotas;
pub mod regions;
pub mod sealing;
pub mod secrets;
pub mod usage;
pub mod versions;

mod words;

pub use errors::Error;
