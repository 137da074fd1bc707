//! Free loopback ports for the listeners of a cloud.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{LazyLock, Mutex, PoisonError},
};

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

/// Below the ports that the kernel gives to outgoing connections, which could take one between its choice and its use, and above those that
/// browsers refuse to call.
const CHOICE: std::ops::Range<u16> = 7_200..9_900;

impl Ports {
    /// Five different ports that nobody listens on now and that this program was not given before: who was given them may not listen yet.
    ///
    /// # Panics
    /// When the machine has none left.
    #[must_use]
    pub fn free() -> Self {
        static NEXT: LazyLock<Mutex<u16>> = LazyLock::new(|| Mutex::new(somewhere()));
        let mut next = NEXT.lock().unwrap_or_else(PoisonError::into_inner);
        // All are bound before any is released, so that they differ.
        let listeners: Vec<TcpListener> = (*next..CHOICE.end)
            .chain(CHOICE.start..*next)
            .filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
            .take(5)
            .collect();
        let addresses: Vec<SocketAddr> =
            listeners.iter().map(|it| it.local_addr().expect("a bound socket has an address")).collect();
        let [api, gateway_http, gateway_https, gateway_admin, gateway_postgres] = addresses[..] else {
            panic!("no five ports are free")
        };
        *next = gateway_postgres.port() + 1;
        Self { api, gateway_http, gateway_https, gateway_admin, gateway_postgres }
    }
}

/// Other test programs choose at the same time, so each begins elsewhere.
fn somewhere() -> u16 {
    let random = RandomState::new().hash_one(std::process::id());
    CHOICE.start + u16::try_from(random % CHOICE.len() as u64).expect("below the length")
}
