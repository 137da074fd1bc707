//! The loopback addresses on which a cloud listens.

use std::net::SocketAddr;

use test_ports::free_address;

/// The addresses of one cloud.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// Control plane.
    pub api: SocketAddr,
    /// Gateway, plain.
    pub gateway_http: SocketAddr,
    /// Gateway, TLS.
    pub gateway_https: SocketAddr,
    /// Gateway, routes.
    pub gateway_admin: SocketAddr,
    /// Gateway, Postgres.
    pub gateway_postgres: SocketAddr,
}

impl Ports {
    /// Five that no other cloud has.
    ///
    /// # Panics
    /// When the kernel has no ports left.
    #[must_use]
    pub fn free() -> Self {
        Self {
            api: free_address(),
            gateway_http: free_address(),
            gateway_https: free_address(),
            gateway_admin: free_address(),
            gateway_postgres: free_address(),
        }
    }
}
