//! What a Postgres client says before TLS.

use std::io;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::cancels::{self, CancelKey};

const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const HANDSHAKE_RECORD: u8 = 0x16;
const MAX_CLEAR_TEXT_BYTES: u64 = 10_000;

/// How a client begins.
pub(super) enum Opening {
    /// TLS comes next; `direct` when the client did not ask before.
    Tls { direct: bool },
    /// It wants a statement cancelled.
    Cancel(CancelKey),
    /// It would sign in without TLS.
    ClearText,
}

/// Reads up to where TLS begins and not a byte more, so that nothing said in clear text counts as said behind TLS.
pub(super) async fn read(stream: &mut TcpStream) -> io::Result<Opening> {
    let mut offered_gss = false;
    loop {
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if first[0] == HANDSHAKE_RECORD {
            return Ok(Opening::Tls { direct: true });
        }
        let (length, code) = (stream.read_u32().await?, stream.read_u32().await?);
        match (length, code) {
            (8, SSL_REQUEST) => {
                stream.write_all(b"S").await?;
                return Ok(Opening::Tls { direct: false });
            }
            (8, GSS_REQUEST) if !offered_gss => {
                offered_gss = true;
                stream.write_all(b"N").await?;
            }
            (length, cancels::CODE) => return cancels::read(stream, length).await.map(Opening::Cancel),
            (9.., code) if code >> 16 == 3 => {
                let rest = u64::from(length - 8).min(MAX_CLEAR_TEXT_BYTES);
                tokio::io::copy(&mut stream.take(rest), &mut tokio::io::sink()).await?;
                return Ok(Opening::ClearText);
            }
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "this is not the Postgres protocol")),
        }
    }
}
