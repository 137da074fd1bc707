//! The control plane driven over HTTP, on real Postgres, with an engine that does in the store what sagas would do in the world.

mod accounts;
mod audit;
mod bad_input;
mod billing;
mod branches;
mod database_access;
mod events;
mod harness;
mod idempotency;
mod indistinguishable;
mod merges;
mod openapi;
mod operations;
mod organizations;
mod partners;
mod projects;
mod query_plans;
mod quotas;
mod shared_sign_ins;
mod usage;
mod usage_rollups;
