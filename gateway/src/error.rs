//! Why a gateway could not be started.

use std::{io, net::SocketAddr, path::PathBuf};

/// A gateway that could not be started; the text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address could not be listened on.
    #[error("the gateway cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file or folder could not be read or written.
    #[error("the gateway cannot use {}", path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The threads that serve connections could not be started.
    #[error("the gateway cannot start its threads")]
    Threads(#[source] io::Error),
    /// A certificate or key file cannot be used.
    #[error("the certificate in {} cannot be used: {reason}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The local certificate authority could not sign.
    #[error("the local certificate authority cannot sign a certificate")]
    Sign(#[source] rcgen::Error),
    /// TLS could not be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// The client for usage records could not be made.
    #[error("the client for usage records cannot be made")]
    UsageClient(#[source] reqwest::Error),
}

impl Error {
    /// For `map_err`: an I/O error with the path it concerns.
    pub(crate) fn folder(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Folder { path, source }
    }
}
