//! What the gateway itself tells Postgres clients: `docs/ERRORS.md` lists these.

use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};
use data_plane_contract::postgres::{DATABASE, DEVELOPER_ROLE};

use crate::projects::{Closed, Refusal as NotThere};

/// Why a client has no session, or has none any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    ClearText,
    Protocol,
    NoHost,
    UnknownHost,
    TwoProjects,
    WrongUser,
    WrongDatabase,
    Replication,
    Paused,
    Restricted(Arc<str>),
    TooManySignIns,
    Unavailable,
    /// The project's Postgres would let anybody in.
    Unprotected,
    TooSlow,
    Restarting,
}

impl Refusal {
    /// SQLSTATE and text.
    fn parts(&self) -> (&'static str, String) {
        let (code, text) = match self {
            Self::ClearText => ("28000", "connections without TLS are refused; use sslmode=require or stricter"),
            Self::Protocol => ("08P01", "the first message cannot be read"),
            Self::NoHost => (
                "08004",
                "no project is named: the client sends no host name in TLS (SNI); add options=endpoint%3D<app key> to the connection string",
            ),
            Self::UnknownHost => ("08004", "no project is served at this host"),
            Self::TwoProjects => ("08004", "the host and the endpoint option name two projects"),
            Self::WrongUser => return ("28000", format!("only the role \"{DEVELOPER_ROLE}\" can sign in here")),
            Self::WrongDatabase => return ("3D000", format!("only the database \"{DATABASE}\" can be reached here")),
            Self::Replication => ("28000", "replication is not served here"),
            Self::Paused => ("57P03", "this project is paused"),
            Self::Restricted(reason) => return ("53400", reason.to_string()),
            Self::TooManySignIns => ("53300", "too many clients sign in to this project at a time; try again"),
            Self::Unavailable => ("57P03", "this project is not available now; try again"),
            Self::Unprotected => ("57P03", "this project asks for no password; restart it once"),
            Self::TooSlow => ("57014", "signing in took too long"),
            Self::Restarting => ("57P01", "the gateway restarts; connect again"),
        };
        (code, text.to_owned())
    }

    /// As an `ErrorResponse`, after which the connection is closed.
    pub(super) fn to_message(&self) -> BytesMut {
        let (code, text) = self.parts();
        let mut fields = BytesMut::new();
        for (name, value) in [(b'S', "FATAL"), (b'V', "FATAL"), (b'C', code), (b'M', text.as_str())] {
            fields.put_u8(name);
            // A string ends at its first zero.
            fields.extend(value.bytes().filter(|byte| *byte != 0));
            fields.put_u8(0);
        }
        fields.put_u8(0);
        let mut message = BytesMut::with_capacity(fields.len() + 5);
        message.put_u8(b'E');
        message.put_u32(u32::try_from(fields.len() + 4).expect("a few short texts"));
        message.extend(fields);
        message
    }
}

impl From<NotThere> for Refusal {
    fn from(refusal: NotThere) -> Self {
        match refusal {
            NotThere::Paused => Self::Paused,
            NotThere::Withdrawn => Self::UnknownHost,
            NotThere::Unavailable => Self::Unavailable,
        }
    }
}

impl From<Closed> for Refusal {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Paused => Self::Paused,
            Closed::Withdrawn => Self::UnknownHost,
            Closed::Restricted(reason) => Self::Restricted(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use fallible_iterator::FallibleIterator as _;
    use postgres_protocol::message::backend::Message;

    use super::*;

    #[test]
    fn refusals_are_messages_that_a_client_reads() {
        let refusal = Refusal::Restricted("too\0 much".into());
        let parsed = Message::parse(&mut refusal.to_message()).expect("well-formed").expect("whole");
        let Message::ErrorResponse(body) = parsed else { panic!("an error") };
        let fields: Vec<(u8, Vec<u8>)> =
            body.fields().map(|field| Ok((field.type_(), field.value_bytes().to_vec()))).collect().expect("fields");
        assert!(fields.contains(&(b'C', b"53400".to_vec())) && fields.contains(&(b'M', b"too much".to_vec())));
    }
}
