//! What one node consists of, and the small questions all its parts ask.

use std::{
    ffi::OsString,
    fs, io,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use chrono::{DateTime, Utc};
use ids::ProjectId;
use model::sealing::MasterKey;
use providers::{Error, Result};

use crate::{
    allocation::Register,
    binary::Binary,
    developers::Developers,
    failure::{Doing as _, remove_file},
    layout::{Layout, ProjectFolder, ids_in},
    limits::Limits,
    lock::{Lock, Mode, PATIENCE, acquire},
    owner::write_whole,
    pool::Pool,
    postgres::{Cluster, Distribution, SUPERUSER},
    process::Noted,
    record::Record,
};

/// The shared insides of [`crate::LocalNode`].
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) layout: Layout,
    pub(crate) pool: Pool,
    pub(crate) distributions: Vec<Distribution>,
    pub(crate) binary: Binary,
    pub(crate) limits: Limits,
    pub(crate) ports: Register,
    pub(crate) uids: Register,
    pub(crate) master_key: MasterKey,
    pub(crate) program_path: String,
    pub(crate) environment: Vec<(String, OsString)>,
    /// Held shared as long as this process uses the home's mounts.
    pub(crate) presence: Mutex<Option<Lock>>,
    pub(crate) closing: AtomicBool,
    pub(crate) developers: Developers,
}

impl Node {
    /// Locks a project for changes, or `None` when nothing of it exists.
    pub(crate) async fn lock(&self, id: ProjectId) -> Result<Option<Lock>> {
        let lock = acquire(&self.layout.project(id).lock(), Mode::Exclusive, PATIENCE).await?;
        if self.closing.load(Ordering::Acquire) {
            return Err(Error::transient(format!("working on project {id}"), "this node is shutting down"));
        }
        Ok(lock)
    }

    /// Locks a project that must exist, with its record.
    pub(crate) async fn lock_existing(&self, id: ProjectId) -> Result<(Lock, ProjectFolder, Record)> {
        let missing = || Error::Missing(format!("the database of project {id}"));
        let lock = self.lock(id).await?.ok_or_else(missing)?;
        let folder = self.layout.project(id);
        let record = Record::load(&folder)?.filter(Record::startable).ok_or_else(missing)?;
        Ok((lock, folder, record))
    }

    /// The distribution a project was made with.
    pub(crate) fn distribution(&self, name: &str) -> Result<&Distribution> {
        let found = self.distributions.iter().find(|it| it.name == name);
        found.ok_or_else(|| {
            Error::Refused(format!("the Postgres distribution {name} that this project uses is not installed"))
        })
    }

    /// A project's cluster.
    pub(crate) fn cluster(&self, folder: &ProjectFolder, record: &Record) -> Result<Cluster> {
        Ok(Cluster {
            distribution: self.distribution(&record.distribution)?.clone(),
            data: folder.live().pgdata(),
            sockets: folder.run(),
            log: folder.logs().join("postgres.log"),
            note: folder.postgres_process(),
            owner: record.owner,
            superuser: SUPERUSER.to_owned(),
        })
    }

    /// Whether the project's Postgres runs.
    pub(crate) fn postgres_runs(&self, folder: &ProjectFolder) -> bool {
        Noted::serving(&folder.postgres_process()).is_some()
    }

    /// Whether the project's data plane runs.
    pub(crate) fn data_plane_runs(&self, folder: &ProjectFolder) -> bool {
        Noted::serving(&folder.data_plane_process()).is_some()
    }

    fn awake_file(&self, id: ProjectId) -> PathBuf {
        self.layout.awake().join(id.to_string())
    }

    /// Writes down that the project's processes are wanted, from now on; already wanted is fine.
    pub(crate) fn mark_awake(&self, id: ProjectId) -> Result<()> {
        let path = self.awake_file(id);
        if path.exists() {
            return Ok(());
        }
        write_whole(&path, Utc::now().to_rfc3339().as_bytes(), None).doing(|| format!("writing {}", path.display()))
    }

    /// Writes down that they are not.
    pub(crate) fn mark_asleep(&self, id: ProjectId) -> Result<()> {
        remove_file(&self.awake_file(id)).doing(|| format!("removing {}", self.awake_file(id).display()))
    }

    /// Whether the project's processes are wanted.
    pub(crate) fn wanted(&self, id: ProjectId) -> bool {
        self.awake_file(id).exists()
    }

    /// Since when they are wanted.
    pub(crate) fn wanted_since(&self, id: ProjectId) -> Option<DateTime<Utc>> {
        fs::read_to_string(self.awake_file(id)).ok()?.parse().ok()
    }

    /// Every project whose processes are wanted.
    pub(crate) fn wanted_ids(&self) -> io::Result<Vec<ProjectId>> {
        ids_in(&self.layout.awake())
    }
}
