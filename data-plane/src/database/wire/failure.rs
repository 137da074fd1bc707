//! What went wrong on a connection, and in Postgres' words where it said something.

use std::io;

use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::ErrorResponseBody;

/// Why an exchange failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Postgres refused a statement; the connection can be used on.
    Refused(Refusal),
    /// The connection is gone; what Postgres said before, if anything.
    Broken(io::Error, Option<Refusal>),
}

/// What Postgres says when it refuses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusal {
    /// SQLSTATE
    pub(crate) state: String,
    /// What is wrong.
    pub(crate) message: String,
    /// More of it.
    pub(crate) detail: Option<String>,
    /// What to do.
    pub(crate) hint: Option<String>,
}

impl Refusal {
    /// As Postgres refuses a prepared statement whose columns are no longer what they were.
    pub(super) fn other_columns() -> Self {
        Self { state: "0A000".to_owned(), message: "the columns are not those expected".to_owned(), ..Self::default() }
    }

    /// As Postgres refuses to make a text this long.
    pub(super) fn too_long() -> Self {
        Self {
            state: "54000".to_owned(),
            message: "the rows are too long for one answer".to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn new(body: &ErrorResponseBody) -> Self {
        let mut refusal = Self::default();
        let mut fields = body.fields();
        while let Ok(Some(field)) = fields.next() {
            let value = || String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'C' => refusal.state = value(),
                b'M' => refusal.message = value(),
                b'D' => refusal.detail = Some(value()),
                b'H' => refusal.hint = Some(value()),
                _ => {}
            }
        }
        refusal
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(refusal) => write!(formatter, "Postgres refused: {} ({})", refusal.message, refusal.state),
            Self::Broken(_, Some(refusal)) => {
                write!(formatter, "the connection to Postgres ended: {} ({})", refusal.message, refusal.state)
            }
            Self::Broken(_, None) => formatter.write_str("the connection to Postgres broke"),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(_) => None,
            Self::Broken(error, _) => Some(error),
        }
    }
}
