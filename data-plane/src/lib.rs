//! The backend of one project: authentication, database, storage, secrets and functions over one Postgres.
//!
//! `config` is read once; `state::App` holds what handlers share; `http` surrounds every request; each area is a module with a `router()`.

pub mod activity;
mod advisor;
pub mod audit;
pub mod auth;
pub mod authentication;
pub mod config;
mod connections;
mod dashboard;
pub mod database;
mod docs;
mod email;
pub mod encryption;
pub mod events;
mod functions;
mod health;
pub mod http;
pub mod logs;
mod metadata;
pub mod metering;
pub mod migrations;
mod platform;
pub mod pools;
pub mod schema;
pub mod schema_changes;
mod secrets;
pub mod serve;
pub mod startup;
pub mod state;
mod storage;
pub mod transaction;
mod usage;
