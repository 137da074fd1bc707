//! Why a call did not happen or has no answer.

use std::{error::Error as StdError, io};

/// A refused or failed call. The texts name no address, so they may be shown to the tenant who chose it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL or host cannot be called at all.
    #[error("{0}")]
    Unusable(&'static str),
    /// The host is a literal address that may not be called.
    #[error("is a private or loopback address, which is not allowed")]
    Private,
    /// The name leads to an address that may not be called.
    #[error("resolves to a private or loopback address, which is not allowed")]
    ResolvesToPrivate,
    /// The name leads nowhere.
    #[error("cannot be resolved")]
    Resolve(#[source] io::Error),
    /// No whole answer in time.
    #[error("does not answer in time")]
    Timeout,
    /// The answer is larger than was asked for.
    #[error("answers with too much")]
    TooLarge,
    /// Too many redirects.
    #[error("redirects too often")]
    TooManyRedirects,
    /// The connection failed.
    #[error("cannot be reached")]
    Transport(#[source] reqwest::Error),
}

impl Error {
    /// Whether an address was refused, rather than not reached.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Unusable(_) | Self::Private | Self::ResolvesToPrivate)
    }

    /// The meaning of a failure of the HTTP client, which carries our own refusals as causes.
    pub(crate) fn from_client(error: reqwest::Error) -> Self {
        let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
        while let Some(current) = cause {
            match current.downcast_ref::<Self>() {
                Some(Self::Unusable(reason)) => return Self::Unusable(reason),
                Some(Self::Private) => return Self::Private,
                Some(Self::ResolvesToPrivate) => return Self::ResolvesToPrivate,
                Some(Self::TooManyRedirects) => return Self::TooManyRedirects,
                _ => cause = current.source(),
            }
        }
        match error.is_timeout() {
            true => Self::Timeout,
            false => Self::Transport(error.without_url()),
        }
    }
}
