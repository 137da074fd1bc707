//! All SQL of the control database, one file per table noun. Every function takes the connection first, so the caller owns the transaction.

pub mod operation_events;
pub mod operation_leases;
pub mod operation_steps;
pub mod operations;
