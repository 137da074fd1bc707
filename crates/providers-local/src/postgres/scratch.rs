//! A server for throw-away databases: made in a temporary folder, reached by a Unix socket only, gone with its folder when stopped.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use providers::Result;
use tempfile::TempDir;

use super::{Cluster, Distribution, PORT, SUPERUSER, scratch_settings};
use crate::{
    failure::Doing as _,
    owner::{Owner, operator_is_root, private_folder},
};

/// Above every user that projects may have, so that a scratch server shares its user with nothing.
const FIRST_UID: u32 = 2_100_000_000;

const SEGMENT_MIB: u32 = 16;

/// A running scratch server.
#[derive(Debug)]
pub struct ScratchServer {
    cluster: Cluster,
    folder: TempDir,
}

impl ScratchServer {
    /// Makes and starts one, as an unprivileged user of its own when the operator is root.
    ///
    /// # Errors
    /// Transient, with what Postgres said.
    pub async fn start(distribution: &Distribution) -> Result<Self> {
        let doing = || "making a temporary folder for a scratch server";
        let folder = tempfile::Builder::new().prefix("hearth-scratch-").tempdir().doing(doing)?;
        // The server's own user passes through; what is inside is closed to everybody else.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).doing(doing)?;
        let owner = operator_is_root().then(|| Owner::numbered(FIRST_UID + std::process::id()));
        let path = folder.path();
        for name in ["pgdata", "run", "logs"] {
            private_folder(&path.join(name), owner).doing(doing)?;
        }
        let cluster = Cluster {
            distribution: distribution.clone(),
            data: path.join("pgdata"),
            sockets: path.join("run"),
            log: path.join("logs/postgres.log"),
            note: path.join("postgres.json"),
            owner,
            superuser: SUPERUSER.to_owned(),
        };
        let server = Self { cluster, folder };
        match server.prepare().await {
            Ok(()) => Ok(server),
            Err(error) => {
                server.stop().await?;
                Err(error)
            }
        }
    }

    async fn prepare(&self) -> Result<()> {
        self.cluster.initialise(SEGMENT_MIB).await?;
        self.cluster.configure(&scratch_settings())?;
        self.cluster.start(|_| ()).await
    }

    /// Folder of its socket: the host to connect to.
    #[must_use]
    pub fn socket_folder(&self) -> &Path {
        &self.cluster.sockets
    }

    /// The port that names the socket.
    #[must_use]
    pub const fn port(&self) -> u16 {
        PORT
    }

    /// Its superuser, who needs no password.
    #[must_use]
    pub const fn superuser(&self) -> &'static str {
        SUPERUSER
    }

    /// Stops it and removes its folder.
    ///
    /// # Errors
    /// Transient when it cannot be stopped or removed.
    pub async fn stop(self) -> Result<()> {
        self.cluster.stop().await?;
        self.folder.close().doing(|| "removing the folder of a scratch server")
    }
}
