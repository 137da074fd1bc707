//! The data plane over HTTP on real Postgres.

mod database;
mod database_harness;
mod records;
mod schema;
