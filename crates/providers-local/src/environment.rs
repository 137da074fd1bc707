//! The environment of a data plane: the caller's variables, sealed on disk so that waking needs nobody, and what only this provider knows.

use std::{ffi::OsString, fs, io, path::Path};

use ids::ProjectId;
use providers::{Error, Result};
use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    failure::Doing as _,
    layout::ProjectFolder,
    node::Node,
    owner::write_whole,
    postgres::{DATABASE, OWNER_ROLE, PORT, SUPERUSER},
};

/// The variable that holds the project's platform token; `data-plane-contract` names it.
pub(crate) const PLATFORM_TOKEN: &str = "HEARTH_PLATFORM_TOKEN";

/// The variable that names the instance type; `data-plane-contract` has it too.
pub(crate) const INSTANCE_TYPE: &str = "HEARTH_INSTANCE_TYPE";

/// Variables with their values.
pub(crate) type Variables = Vec<(String, SecretString)>;

/// Where a data plane runs.
pub(crate) struct Place<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) port: u16,
}

/// The variables that the provider adds.
pub(crate) fn provided(place: &Place<'_>, program_path: &str) -> Vec<(String, OsString)> {
    let below = |name: &str| place.folder.join(name).into_os_string();
    let variables: [(&str, OsString); 14] = [
        ("PORT", place.port.to_string().into()),
        ("HOST", "127.0.0.1".into()),
        ("POSTGRES_HOST", below("run")),
        ("POSTGRES_PORT", PORT.to_string().into()),
        ("POSTGRES_DB", DATABASE.into()),
        ("POSTGRES_USER", OWNER_ROLE.into()),
        ("HEARTH_SUPERUSER", SUPERUSER.into()),
        ("STORAGE_DIR", below("storage")),
        ("LOGS_DIR", below("logs")),
        ("HEARTH_STATE_DIR", below("state")),
        ("HOME", below("state")),
        ("PATH", program_path.into()),
        ("LC_ALL", "C.UTF-8".into()),
        ("TZ", "UTC".into()),
    ];
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn context(id: ProjectId) -> String {
    format!("project/{id}/environment")
}

impl Node {
    /// Keeps a data plane's variables.
    pub(crate) fn seal_environment(&self, id: ProjectId, folder: &ProjectFolder, variables: &Variables) -> Result<()> {
        let exposed: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
        let plain = serde_json::to_vec(&exposed).expect("pairs of strings are JSON");
        let sealed = self.master_key.seal(&context(id), &plain);
        write_whole(&folder.environment(), &sealed, None)
            .doing(|| format!("writing {}", folder.environment().display()))
    }

    /// Seals them with the present master key where the previous one did.
    pub(crate) fn reseal_environment(&self, id: ProjectId, folder: &ProjectFolder) -> Result<()> {
        if !self.master_key.rotating() {
            return Ok(());
        }
        let path = folder.environment();
        let sealed = match fs::read(&path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
            sealed => sealed.doing(|| format!("reading {}", path.display()))?,
        };
        let resealed = self.master_key.reseal(&context(id), &sealed);
        match resealed.map_err(|cause| Error::transient(format!("opening {}", path.display()), cause))? {
            Some(resealed) => write_whole(&path, &resealed, None).doing(|| format!("writing {}", path.display())),
            None => Ok(()),
        }
    }

    /// The kept variables, or `None` when there are none.
    pub(crate) fn open_environment(&self, id: ProjectId, folder: &ProjectFolder) -> Result<Option<Variables>> {
        let sealed = match fs::read(folder.environment()) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            sealed => sealed.doing(|| format!("reading {}", folder.environment().display()))?,
        };
        let doing = || format!("opening {}", folder.environment().display());
        let plain = self.master_key.open(&context(id), &sealed).map_err(|cause| Error::transient(doing(), cause))?;
        let exposed: Vec<(String, String)> = serde_json::from_slice(&plain).map_err(io::Error::from).doing(doing)?;
        Ok(Some(exposed.into_iter().map(|(name, value)| (name, SecretString::from(value))).collect()))
    }
}

/// The value of one variable.
pub(crate) fn value<'a>(variables: &'a Variables, name: &str) -> Option<&'a SecretString> {
    variables.iter().find(|(other, _)| other == name).map(|(_, value)| value)
}

/// Whether both hold the same, in any order.
pub(crate) fn same(one: &Variables, other: &Variables) -> bool {
    let sorted = |variables: &Variables| {
        let mut pairs: Vec<_> =
            variables.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect();
        pairs.sort();
        pairs
    };
    sorted(one) == sorted(other)
}
