//! Loopback ports for the servers that tests start as processes of their own, chosen so that no two of them are ever given the same one.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Mutex, PoisonError},
};

use socket2::{Domain, Socket, Type};

/// Sockets that keep the ports of this program.
static KEPT: Mutex<Vec<Socket>> = Mutex::new(Vec::new());

/// An address on 127.0.0.1 for one server, which this program keeps until it ends: a server can listen there, again after it ended, and nobody
/// else is given its port, neither other test programs nor outgoing connections.
///
/// The port is kept by a socket that is bound and never listens. Linux lets a server bind beside it where both allow addresses to be used again,
/// as servers do, and leaves it out when it chooses a port itself.
///
/// # Panics
/// When the kernel has no port left.
#[must_use]
pub fn free_address() -> SocketAddr {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("the kernel makes a socket");
    socket.set_reuse_address(true).expect("the option is known");
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("the kernel has a free port");
    let address = socket.local_addr().expect("a bound socket has an address").as_socket().expect("an internet address");
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).push(socket);
    address
}

/// The port of [`free_address`].
///
/// # Panics
/// When the kernel has no port left.
#[must_use]
pub fn free_port() -> u16 {
    free_address().port()
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashSet,
        net::{TcpListener, TcpStream},
    };

    use super::*;

    #[test]
    fn a_server_can_listen_there_and_again_and_nobody_else_meanwhile() {
        let address = free_address();
        assert!(TcpStream::connect(address).is_err(), "nobody listens yet");
        for _ in 0..2 {
            let server = TcpListener::bind(address).expect("it listens");
            assert!(TcpListener::bind(address).is_err(), "one only");
            TcpStream::connect(address).expect("it is reached");
            drop(server);
        }
    }

    #[test]
    fn the_kernel_gives_it_to_nobody() {
        let kept: HashSet<SocketAddr> = (0..2_000).map(|_| free_address()).collect();
        assert_eq!(kept.len(), 2_000);
        let chosen: Vec<TcpListener> =
            (0..2_000).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port")).collect();
        let server = TcpListener::bind(free_address()).expect("it listens");
        let to = server.local_addr().expect("bound");
        let calls: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(to).expect("it is reached")).collect();
        let taken = chosen.iter().map(TcpListener::local_addr).chain(calls.iter().map(TcpStream::local_addr));
        for address in taken {
            assert!(!kept.contains(&address.expect("bound")));
        }
    }
}
