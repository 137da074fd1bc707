//! The public edge: TLS, routing by host, wake on request, streaming proxy for HTTP and Postgres, and metering of what was sent.
//!
//! It runs with the control plane and its database down: routes are pushed to it and kept on disk, usage waits in a
//! spool, and a sleeping project is woken through the [`Waker`] of the process the gateway lives in.

mod admin;
mod config;
mod edge;
mod error;
mod handle;
mod idle;
mod listener;
mod meter;
mod postgres;
mod projects;
mod proxy;
mod routes;
mod tls;
mod waker;
mod workers;

pub use config::{GatewayConfig, TlsSource, UsageTarget};
pub use error::Error;
pub use handle::{GatewayHandle, start};
pub use tls::local_authority;
pub use waker::{Duplex, PostgresStream, WakeError, Waker};
