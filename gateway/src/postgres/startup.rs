//! The first message of a session: read, checked, and written anew for the project's Postgres.

use std::{collections::HashMap, io};

use bytes::{BufMut as _, BytesMut};
use data_plane_contract::postgres::{DATABASE, DEVELOPER_ROLE};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::{
    cancels::{self, CancelKey},
    refusal::Refusal,
};

/// As in Postgres.
const MAX_BYTES: u32 = 10_000;
/// Parameters that are not passed on.
const OWN: [&str; 4] = ["user", "database", "replication", "options"];
/// Names of extensions of the protocol begin so. None is known.
const EXTENSION: &str = "_pq_.";

/// What a client may say first.
pub(super) enum First {
    Startup(Startup),
    Cancel(CancelKey),
}

/// What a client wants of its session.
#[derive(Debug)]
pub(super) struct Startup {
    /// App key of the project, for clients that name no host.
    pub(super) endpoint: Option<String>,
    user: String,
    database: String,
    replication: bool,
    options: String,
    /// What else it sets.
    settings: Vec<(String, String)>,
    /// The client knows a newer minor version of the protocol, or extensions.
    minor: u16,
    extensions: Vec<String>,
}

/// Reads the first message behind TLS.
pub(super) async fn read<S: AsyncRead + Unpin>(client: &mut S) -> io::Result<First> {
    let (length, code) = (client.read_u32().await?, client.read_u32().await?);
    if code == cancels::CODE {
        return cancels::read(client, length).await.map(First::Cancel);
    }
    if !(9..=MAX_BYTES).contains(&length) || code >> 16 != 3 {
        return Err(unreadable());
    }
    let mut rest = vec![0; length as usize - 8];
    client.read_exact(&mut rest).await?;
    let minor = u16::try_from(code & 0xffff).expect("sixteen bits");
    Startup::parse(&rest, minor).map(First::Startup).ok_or_else(unreadable)
}

fn unreadable() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the first message cannot be read")
}

impl Startup {
    /// Names and values, each ended by a zero, and a zero. A name given twice is not taken: what counts must be clear.
    fn parse(bytes: &[u8], minor: u16) -> Option<Self> {
        let mut texts = bytes.strip_suffix(&[0, 0])?.split(|byte| *byte == 0).map(|text| str::from_utf8(text).ok());
        let mut given = HashMap::new();
        let (mut settings, mut extensions) = (Vec::new(), Vec::new());
        while let Some(name) = texts.next() {
            let (name, value) = (name?, texts.next()??);
            if given.insert(name.to_owned(), value.to_owned()).is_some() || name.is_empty() {
                return None;
            }
            if name.starts_with(EXTENSION) {
                extensions.push(name.to_owned());
            } else if !OWN.contains(&name) {
                settings.push((name.to_owned(), value.to_owned()));
            }
        }
        let user = given.remove("user")?;
        let (endpoint, options) = take_endpoint(given.get("options").map_or("", String::as_str));
        let replication =
            given.get("replication").is_some_and(|value| !["false", "off", "no", "0"].contains(&value.as_str()));
        let database = given.remove("database").unwrap_or_else(|| user.clone());
        Some(Self { endpoint, user, database, replication, options, settings, minor, extensions })
    }

    /// Whether such a session may be at all.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.user != DEVELOPER_ROLE {
            return Err(Refusal::WrongUser);
        }
        if self.replication {
            return Err(Refusal::Replication);
        }
        if self.database != DATABASE {
            return Err(Refusal::WrongDatabase);
        }
        Ok(())
    }

    /// The message for Postgres. User and database are ours, whatever the client wrote.
    pub(super) fn to_message(&self) -> io::Result<BytesMut> {
        let mut parameters = vec![("user", DEVELOPER_ROLE), ("database", DATABASE)];
        if !self.options.is_empty() {
            parameters.push(("options", &self.options));
        }
        parameters.extend(self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let mut message = BytesMut::new();
        frontend::startup_message(parameters, &mut message)?;
        Ok(message)
    }

    /// Tells a client that knows more than version 3.0 that this is what is spoken; nothing for others.
    pub(super) fn negotiation(&self) -> BytesMut {
        let mut message = BytesMut::new();
        if self.minor == 0 && self.extensions.is_empty() {
            return message;
        }
        let names: usize = self.extensions.iter().map(|name| name.len() + 1).sum();
        message.put_u8(b'v');
        message.put_u32(u32::try_from(12 + names).expect("part of a short message"));
        message.put_u32(0);
        message.put_u32(u32::try_from(self.extensions.len()).expect("part of a short message"));
        for name in &self.extensions {
            message.extend(name.as_bytes());
            message.put_u8(0);
        }
        message
    }
}

/// Takes `endpoint=<app key>` out of the options, which are words with backslashes before spaces that belong to one.
fn take_endpoint(options: &str) -> (Option<String>, String) {
    let (mut words, mut word, mut escaped) = (Vec::new(), String::new(), false);
    for character in options.chars() {
        if character.is_ascii_whitespace() && !escaped {
            words.push(std::mem::take(&mut word));
        } else {
            word.push(character);
        }
        escaped = character == '\\' && !escaped;
    }
    words.push(word);
    let mut endpoint = None;
    words.retain(|word| match word.strip_prefix("endpoint=") {
        Some(name) => {
            endpoint = Some(name.to_owned());
            false
        }
        None => !word.is_empty(),
    });
    (endpoint, words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(parameters: &[(&str, &str)]) -> Option<Startup> {
        let mut message = BytesMut::new();
        frontend::startup_message(parameters.iter().copied(), &mut message).expect("no zeros");
        Startup::parse(&message[8..], 0)
    }

    #[test]
    fn user_and_database_are_never_the_clients_word() {
        let good = parse(&[("user", "project_admin"), ("database", "insforge"), ("application_name", "psql")]);
        let good = good.expect("readable");
        good.check().expect("allowed");
        let message = good.to_message().expect("no zeros");
        let again = Startup::parse(&message[8..], 0).expect("readable");
        assert_eq!((again.user.as_str(), again.database.as_str()), (DEVELOPER_ROLE, DATABASE));
        assert_eq!(again.settings, [("application_name".to_owned(), "psql".to_owned())]);
        for (parameters, refusal) in [
            (&[("user", "hearth_superuser"), ("database", "insforge")][..], Refusal::WrongUser),
            (&[("user", "postgres"), ("database", "insforge")][..], Refusal::WrongUser),
            (&[("user", "project_admin"), ("database", "postgres")][..], Refusal::WrongDatabase),
            (&[("user", "project_admin")][..], Refusal::WrongDatabase),
            (
                &[("user", "project_admin"), ("database", "insforge"), ("replication", "database")][..],
                Refusal::Replication,
            ),
        ] {
            assert_eq!(parse(parameters).expect("readable").check(), Err(refusal));
        }
        assert!(parse(&[("user", "project_admin"), ("user", "hearth_superuser")]).is_none(), "which one counts?");
        assert!(parse(&[("database", "insforge")]).is_none());
    }

    #[test]
    fn cut_and_crooked_messages_are_not_taken() {
        for bytes in
            [&b""[..], b"\0", b"user\0", b"user\0\0", b"user\0a\0", b"user\0a\0b\0\0", b"user\0\xff\0\0", b"\0\0\0"]
        {
            assert!(Startup::parse(bytes, 0).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn the_endpoint_is_taken_out_of_the_options() {
        for (options, endpoint, rest) in [
            ("", None, ""),
            ("endpoint=abc", Some("abc"), ""),
            ("-c work_mem=8MB endpoint=abc  -c x=y", Some("abc"), "-c work_mem=8MB -c x=y"),
            (r"-c a=b\ endpoint=no", None, r"-c a=b\ endpoint=no"),
        ] {
            assert_eq!(take_endpoint(options), (endpoint.map(str::to_owned), rest.to_owned()), "{options}");
        }
    }

    #[test]
    fn newer_clients_are_told_what_is_spoken() {
        let startup = parse(&[("user", "a"), ("_pq_.new", "1")]).expect("readable");
        assert_eq!(&startup.negotiation()[..], b"v\0\0\0\x15\0\0\0\0\0\0\0\x01_pq_.new\0");
        assert!(parse(&[("user", "a")]).expect("readable").negotiation().is_empty());
    }
}
