//! Ports for a cloud: free loopback ports for its listeners, and a range for its projects that no other cloud of this machine's tests uses.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Below the kernel's ephemeral range, so that outgoing connections do not take a project's port.
const FIRST_RANGE: u16 = 20_000;
const RANGE: u16 = 600;
const RANGES: u16 = 20;
/// One marker port per range; whoever listens on it owns the range.
const FIRST_MARKER: u16 = 19_900;

/// The addresses of one cloud, held for its lifetime.
#[derive(Debug)]
pub struct Ports {
    /// Control plane.
    pub api: SocketAddr,
    /// Gateway, plain.
    pub gateway_http: SocketAddr,
    /// Gateway, TLS.
    pub gateway_https: SocketAddr,
    /// Gateway, routes.
    pub gateway_admin: SocketAddr,
    /// First port of the projects' range.
    pub first_project: u16,
    _marker: TcpListener,
}

impl Ports {
    /// Reserves addresses.
    ///
    /// # Panics
    /// When every range is taken.
    #[must_use]
    pub fn reserve() -> Self {
        let (index, marker) = (0..RANGES)
            .find_map(|index| {
                let marker = TcpListener::bind((Ipv4Addr::LOCALHOST, FIRST_MARKER + index)).ok()?;
                Some((index, marker))
            })
            .expect("fewer clouds at a time than there are port ranges");
        // All four are bound before any is released, so that they differ.
        let listeners =
            [(); 4].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the kernel has a free port"));
        let [api, gateway_http, gateway_https, gateway_admin] =
            listeners.each_ref().map(|listener| listener.local_addr().expect("a bound socket has an address"));
        Self {
            api,
            gateway_http,
            gateway_https,
            gateway_admin,
            first_project: FIRST_RANGE + index * RANGE,
            _marker: marker,
        }
    }
}
