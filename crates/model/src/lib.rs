//! The pure domain: state machines, statuses, quotas, plans and limits, usage, sealed secrets, and the one error that use-cases return.

pub mod instances;
pub mod sealing;
