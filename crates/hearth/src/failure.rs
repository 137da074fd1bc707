//! Why a command ends with status 1: one clear sentence, and behind it the chain of causes for the log.

use std::{error::Error, fmt, io, path::Path};

/// The reason a command failed, fit to be read by an operator.
#[derive(Debug)]
pub(crate) struct Failure {
    sentence: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A sentence that says it all.
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), cause: None }
    }

    /// A sentence with a cause, which is appended.
    pub(crate) fn caused(sentence: impl Into<String>, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { sentence: sentence.into(), cause: Some(cause.into()) }
    }

    /// An operation on a file that did not work.
    pub(crate) fn io(doing: &str, path: &Path, cause: io::Error) -> Self {
        Self::caused(format!("Could not {doing} {}", path.display()), cause)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            None => f.write_str(&self.sentence),
            Some(cause) => {
                write!(
                    f,
                    "{}: {}",
                    self.sentence.trim_end_matches('.'),
                    telemetry::chain(cause.as_ref()).trim_end_matches('.')
                )?;
                f.write_str(".")
            }
        }
    }
}
