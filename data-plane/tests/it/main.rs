//! The data plane over HTTP on real Postgres.

mod administration;
mod advisor;
mod agents;
mod backups;
mod bulk;
mod clients;
mod concurrent_indexes;
mod confinement;
mod data_api;
mod database;
mod database_harness;
mod escapes;
mod node;
mod records;
mod schema;
mod storage;
mod who_may_what;
