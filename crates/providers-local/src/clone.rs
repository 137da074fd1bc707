//! Copies a cluster with its objects, awake or asleep. An awake one is copied inside the backup protocol and stays writable throughout.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ids::ProjectId;
use providers::{Error, Result};
use tokio_postgres::Client;

use crate::{
    copy::{Take, TreeCopy, everything},
    failure::{Doing as _, blocking},
    layout::{Contents, ProjectFolder},
    node::Node,
    owner::{Owner, private_folder, write_whole},
    postgres::{Cluster, SUPERUSER},
    record::Record,
};

/// Folders that a server empties or rebuilds on its next start.
const EMPTIED: [&str; 7] =
    ["pg_dynshmem", "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat_tmp", "pg_subtrans"];
/// Files that belong to a running server or an earlier backup.
const LEFT_OUT: [&str; 6] = [
    "postmaster.pid",
    "postmaster.opts",
    "backup_label.old",
    "tablespace_map.old",
    "current_logfiles",
    "postgresql.auto.conf.tmp",
];

impl Node {
    /// Copies a project's live contents to `to`, which does not exist yet, for `owner`. The caller holds the project's lock, shared at
    /// least. Not durable until synced.
    pub(crate) async fn copy_live(
        &self,
        id: ProjectId,
        folder: &ProjectFolder,
        record: &Record,
        to: &Contents,
        owner: Option<Owner>,
    ) -> Result<()> {
        let (from, to) = (folder.live(), to.clone());
        if !self.postgres_runs(folder) {
            return blocking(move || copy_still(&from, &to, owner)).await;
        }
        let cluster = self.cluster(folder, record)?;
        private_folder(&to.root, None).doing(|| format!("making {}", to.root.display()))?;
        // Objects are copied before and after the database: whatever row the copy has, its object was there before or came meanwhile.
        copy_storage(&from, &to, owner, false).await?;
        let backup = Backup::begin(&cluster, id).await?;
        let (source, target) = (from.pgdata(), to.pgdata());
        blocking(move || {
            let copy = TreeCopy { owner, choose: &choose_live, refresh: false };
            copy.run(&source, &target).doing(|| format!("copying {}", source.display()))
        })
        .await?;
        backup.end(&from.pgdata(), &to.pgdata(), owner).await?;
        copy_storage(&from, &to, owner, true).await
    }
}

async fn copy_storage(from: &Contents, to: &Contents, owner: Option<Owner>, refresh: bool) -> Result<()> {
    let (from, to) = (from.storage(), to.storage());
    blocking(move || {
        let copy = TreeCopy { owner, choose: &everything, refresh };
        copy.run(&from, &to).doing(|| format!("copying {}", from.display()))
    })
    .await
}

/// Copies contents that no server has open.
pub(crate) fn copy_still(from: &Contents, to: &Contents, owner: Option<Owner>) -> Result<()> {
    let doing = || format!("copying {}", from.root.display());
    private_folder(&to.root, None).doing(doing)?;
    TreeCopy { owner, choose: &choose_still, refresh: false }.run(&from.pgdata(), &to.pgdata()).doing(doing)?;
    TreeCopy { owner, choose: &everything, refresh: false }.run(&from.storage(), &to.storage()).doing(doing)
}

fn choose_still(path: &Path) -> Take {
    match path.to_str() {
        Some("pg_replslot") => Take::Empty,
        Some(name) if LEFT_OUT.contains(&name) => Take::Nothing,
        _ => Take::Whole,
    }
}

fn choose_live(path: &Path) -> Take {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match path.to_str() {
        Some("pg_wal") => Take::Empty,
        Some(top) if EMPTIED.contains(&top) => Take::Empty,
        Some(top) if LEFT_OUT.contains(&top) => Take::Nothing,
        _ if name.starts_with("pgsql_tmp") => Take::Empty,
        _ if name.starts_with("pg_internal.init") => Take::Nothing,
        _ => Take::Whole,
    }
}

/// A backup under way; dropping it abandons the backup, since it lives as long as its session.
struct Backup {
    session: Client,
}

impl Backup {
    async fn begin(cluster: &Cluster, id: ProjectId) -> Result<Self> {
        let session = cluster.connect(SUPERUSER, "postgres").await?;
        let doing = || format!("beginning a live copy of project {id}");
        session.batch_execute("set statement_timeout = 0; set idle_session_timeout = 0").await.doing(doing)?;
        // Without a slot a checkpoint in mid-copy may recycle write-ahead log that the copy needs. It goes with the session.
        let slot = "select pg_create_physical_replication_slot('hearth_copy_' || pg_backend_pid(), true, true)";
        session.execute(slot, &[]).await.doing(doing)?;
        session.execute("select pg_backup_start('hearth', true)", &[]).await.doing(doing)?;
        Ok(Self { session })
    }

    /// Ends the backup and completes the copy with the log it needs and the label that says where recovery begins.
    async fn end(self, source: &Path, target: &Path, owner: Option<Owner>) -> Result<()> {
        let doing = || format!("ending a live copy of {}", source.display());
        let query = "select labelfile, spcmapfile, pg_walfile_name(lsn - 1) from pg_backup_stop(false)";
        let row = self.session.query_one(query, &[]).await.doing(doing)?;
        let (label, tablespaces, last): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        if !tablespaces.trim().is_empty() {
            return Err(Error::Refused("a database with tablespaces cannot be cloned".to_owned()));
        }
        let first = first_segment(&label)
            .ok_or_else(|| Error::transient(doing(), "the backup label names no first segment"))?;
        let (source, target) = (source.join("pg_wal"), target.to_owned());
        blocking(move || {
            copy_log(&source, &target.join("pg_wal"), &first, &last, owner)
                .doing(|| format!("copying {}", source.display()))?;
            write_whole(&target.join("backup_label"), label.as_bytes(), owner)
                .doing(|| format!("writing the label of {}", target.display()))
        })
        .await
    }
}

fn first_segment(label: &str) -> Option<String> {
    let (_, rest) = label.lines().next()?.split_once("(file ")?;
    Some(rest.split(')').next()?.to_owned())
}

fn copy_log(from: &Path, to: &Path, first: &str, last: &str, owner: Option<Owner>) -> std::io::Result<()> {
    let choose = |path: &Path| -> Take {
        let name = path.to_str().unwrap_or_default();
        let segment = name.len() == first.len() && name >= first && name <= last;
        if segment || name.ends_with(".history") { Take::Whole } else { Take::Nothing }
    };
    TreeCopy { owner, choose: &choose, refresh: true }.run(from, to)?;
    let copied = |name: &str| to.join(name).exists();
    if copied(first) && copied(last) {
        return Ok(());
    }
    Err(std::io::Error::other(format!("write-ahead log between {first} and {last} is gone")))
}

/// Moves complete contents into a place where nothing is, part by part; parts already moved are fine.
pub(crate) fn put_in_place(from: &Contents, to: &Contents) -> std::io::Result<()> {
    for part in Contents::PARTS {
        let (source, target): (PathBuf, PathBuf) = (from.root.join(part), to.root.join(part));
        if source.exists() {
            fs::rename(source, target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_name_their_first_segment() {
        let label = "START WAL LOCATION: 0/2000028 (file 000000010000000000000020)\nCHECKPOINT LOCATION: 0/2000060\n";
        assert_eq!(first_segment(label).as_deref(), Some("000000010000000000000020"));
        assert_eq!(first_segment("nonsense"), None);
    }

    #[test]
    fn live_copies_leave_out_what_belongs_to_the_running_server() {
        for (path, take) in [
            ("pg_wal", Take::Empty),
            ("pg_replslot", Take::Empty),
            ("postmaster.pid", Take::Nothing),
            ("base/5/pg_internal.init", Take::Nothing),
            ("base/pgsql_tmp", Take::Empty),
            ("base/5/1259", Take::Whole),
            ("global/pg_control", Take::Whole),
        ] {
            assert_eq!(choose_live(Path::new(path)), take, "{path}");
        }
        assert_eq!(choose_still(Path::new("pg_wal")), Take::Whole);
    }
}
