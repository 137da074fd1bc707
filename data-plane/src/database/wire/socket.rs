//! The socket to Postgres: in a folder, or TCP.

use std::io;

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
};
use tokio_postgres::{Config, config::Host};

const DRAINED_AT_ONCE: usize = 16 * 1024;

#[derive(Debug)]
pub(super) enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Socket {
    /// Connects to the first host of the configuration.
    pub(super) async fn connect(config: &Config) -> io::Result<Self> {
        let port = config.get_ports().first().copied().unwrap_or(5432);
        match config.get_hosts().first() {
            Some(Host::Unix(folder)) => {
                UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).await.map(Self::Unix)
            }
            Some(Host::Tcp(host)) => {
                let stream = TcpStream::connect((host.as_str(), port)).await?;
                stream.set_nodelay(true)?;
                Ok(Self::Tcp(stream))
            }
            None => Err(io::Error::new(io::ErrorKind::InvalidInput, "no host of Postgres is configured")),
        }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.write_all(bytes).await,
            Self::Tcp(stream) => stream.write_all(bytes).await,
        }
    }

    pub(super) async fn receive(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read_buf(buffer).await,
            Self::Tcp(stream) => stream.read_buf(buffer).await,
        }
    }

    /// Reads until the other side has hung up, and forgets it all. It can be called again when it was dropped half-way.
    pub(super) async fn drain(&mut self) {
        let mut buffer = BytesMut::with_capacity(DRAINED_AT_ONCE);
        while let Ok(1..) = self.receive(&mut buffer).await {
            buffer.clear();
        }
    }

    /// Whether the other side has hung up or said something unasked for, which between requests is a farewell.
    pub(super) fn closed(&self) -> bool {
        let mut byte = [0_u8; 1];
        let read = match self {
            Self::Unix(stream) => stream.try_read(&mut byte),
            Self::Tcp(stream) => stream.try_read(&mut byte),
        };
        !matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}
