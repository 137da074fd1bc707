//! One error for all providers: what was being done, whether trying again may help, and what the operator must know.

use std::error::Error as StdError;

/// The outcome of a provider call.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a provider call failed. Texts name no secrets.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Trying again may help.
    #[error("{doing}")]
    Transient {
        /// What was being done.
        doing: String,
        /// What went wrong.
        #[source]
        cause: Box<dyn StdError + Send + Sync>,
    },
    /// The request cannot be satisfied as it is; the text is fit for users.
    #[error("{0}")]
    Refused(String),
    /// The place has no room for it; the text is fit for users.
    #[error("{0}")]
    Full(String),
    /// The thing to work on does not exist.
    #[error("{0} does not exist")]
    Missing(String),
}

impl Error {
    /// A failure while `doing`, worth another attempt.
    pub fn transient(doing: impl Into<String>, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Transient { doing: doing.into(), cause: cause.into() }
    }

    /// Whether another attempt may help.
    #[must_use]
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Transient { .. })
    }
}
