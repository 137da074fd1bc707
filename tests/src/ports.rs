//! Free loopback ports for the listeners of a cloud.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

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
}

impl Ports {
    /// Four different ports that nobody listens on now.
    ///
    /// # Panics
    /// When the machine has none left.
    #[must_use]
    pub fn free() -> Self {
        // All are bound before any is released, so that they differ.
        let listeners =
            [(); 4].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the kernel has a free port"));
        let [api, gateway_http, gateway_https, gateway_admin] =
            listeners.each_ref().map(|listener| listener.local_addr().expect("a bound socket has an address"));
        Self { api, gateway_http, gateway_https, gateway_admin }
    }
}
