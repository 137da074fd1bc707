//! The control plane: the HTTP API of accounts, organizations, projects, branches, operations and usage.
//!
//! `http` is what every request passes through, `api` knows the wire, `app` knows the rules, and `store` has the SQL. It is stateless: any
//! number of replicas may run over one control database, and running projects do not notice when none does.

mod api;
mod app;
mod bootstrap;
mod config;
mod http;
mod passwords;
mod signing;
mod state;

pub use api::openapi::document as openapi_document;
pub use app::partners::manage as partners;
pub use bootstrap::{Bootstrapped, bootstrap, renew_credentials};
pub use config::{Config, Gateway, SharedClient, SharedClients};
pub use http::router;
pub use signing::SigningError;
pub use state::{Seams, StartError, State, state};
