//! `project.json`: what is decided about a project. Written only under its lock, whole or not at all.

use std::{fs, io};

use model::instances::InstanceSize;
use providers::Result;
use serde::{Deserialize, Serialize};

use crate::{
    failure::Doing as _,
    layout::ProjectFolder,
    owner::{Owner, write_whole},
    process::boot_id,
};

/// A project as it is meant to be on this node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// Its own user, when the operator is root.
    pub(crate) owner: Option<Owner>,
    /// Named Postgres distribution.
    pub(crate) distribution: String,
    /// Memory and CPU.
    pub(crate) size: InstanceSize,
    /// How far the database got.
    pub(crate) database: DatabaseStage,
    /// Nothing of it is made durable: the boot of the machine within which it is of use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) throw_away: Option<String>,
    /// How far a reset got, if one is under way.
    pub(crate) reset: Option<ResetStage>,
    /// The process, if one is defined.
    pub(crate) data_plane: Option<DataPlaneRecord>,
}

/// How far a database got. Only a ready one is ever started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DatabaseStage {
    /// Its first contents are being copied; what is there is worthless.
    Making,
    /// Complete and durable.
    Ready,
    /// Being removed, or removed.
    Removed,
}

/// How far a reset got. The two middle stages are walked through to their end whenever they are met, whoever began them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ResetStage {
    /// A copy stands ready.
    Prepared,
    /// The copy is being put in place.
    Swapping,
    /// The copy is in place, the old state aside.
    Swapped,
    /// The old state is being put back.
    Cancelling,
}

/// A data plane's definition; its environment is sealed in a file of its own.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataPlaneRecord {
    /// Loopback port, the project's for life.
    pub(crate) port: u16,
    /// Stopped on purpose: nothing wakes it until it is ensured again.
    pub(crate) stopped: bool,
}

impl Record {
    /// The record of a project, or `None` when there is none yet.
    pub(crate) fn load(folder: &ProjectFolder) -> Result<Option<Self>> {
        let read = match fs::read(folder.record()) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read,
        };
        let parsed = read.and_then(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::from));
        parsed.doing(|| format!("reading {}", folder.record().display())).map(Some)
    }

    /// Whether there is a database that may be started.
    pub(crate) fn startable(&self) -> bool {
        let lost = || self.throw_away.as_ref().is_some_and(|boot| boot_id().map_or(true, |now| now != *boot));
        self.database == DatabaseStage::Ready && !lost()
    }

    /// Saves it durably.
    pub(crate) fn save(&self, folder: &ProjectFolder) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(self).expect("a record has no map with odd keys");
        write_whole(&folder.record(), &bytes, None).doing(|| format!("writing {}", folder.record().display()))
    }
}
