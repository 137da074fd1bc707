//! The control database's cluster under `$HEARTH_HOME/control`: durable, reached by a Unix socket only, started and adopted like any other.

use std::{
    fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Mutex,
};

use providers::{Error, Result};

use super::{Cluster, Distribution, PORT, control_settings};
use crate::{
    allocation::Register,
    config::home_uids,
    copy,
    failure::{Doing as _, remove_folder},
    lock::{Lock, Mode, PATIENCE, acquire, acquire_alone},
    mounts::{expose, unlink, withdraw},
    owner::{Owner, operator_is_root, private_folder},
};

const HOLDER: &str = "control";
const NAME: &str = "hearth";
const PRESENCE: &str = "control-presence.lock";
const SEGMENT_MIB: u32 = 16;

/// How to run the control database.
#[derive(Clone, Debug)]
pub struct ControlSettings {
    /// `$HEARTH_HOME`.
    pub home: PathBuf,
    /// What to run it with.
    pub distribution: Distribution,
    /// Connections it accepts.
    pub max_connections: u32,
    /// Where its own user is taken from when the operator is root; the same as for projects.
    pub uids: RangeInclusive<u32>,
}

/// A running control database.
#[derive(Debug)]
pub struct ControlDatabase {
    cluster: Cluster,
    exposed: PathBuf,
    home: PathBuf,
    /// Held shared by every process that uses the database; the last to let go stops it.
    presence: Mutex<Option<Lock>>,
}

impl ControlDatabase {
    /// Makes it on first use, starts it unless it runs already, and waits until it answers. Several processes may use it at once.
    ///
    /// # Errors
    /// Refused when the home cannot be used, else transient.
    pub async fn start(settings: &ControlSettings) -> Result<Self> {
        let home = fs::canonicalize(&settings.home).doing(|| format!("opening {}", settings.home.display()))?;
        let _starting = settle(&home).await?;
        let presence = acquire(&home.join(PRESENCE), Mode::Shared, PATIENCE).await?;
        let exposed = expose(&home, "control")?;
        let owner = control_owner(&home, home_uids(&settings.uids, &home))?;
        for name in ["run", "logs"] {
            private_folder(&exposed.join(name), owner).doing(|| format!("making {}", exposed.join(name).display()))?;
        }
        let cluster = Cluster {
            distribution: settings.distribution.clone(),
            data: exposed.join("pgdata"),
            sockets: exposed.join("run"),
            log: exposed.join("logs/postgres.log"),
            note: exposed.join("postgres.json"),
            owner,
            superuser: NAME.to_owned(),
        };
        if !cluster.data.exists() {
            initialise(&cluster, &exposed).await?;
        }
        refuse_other_version(&cluster)?;
        cluster.configure(&control_settings(settings.max_connections))?;
        cluster.start(|_| ()).await?;
        ensure_database(&cluster).await?;
        Ok(Self { cluster, exposed, home, presence: Mutex::new(presence) })
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

    /// The user to connect as: the cluster's superuser.
    #[must_use]
    pub const fn user(&self) -> &'static str {
        NAME
    }

    /// The database to connect to.
    #[must_use]
    pub const fn database(&self) -> &'static str {
        NAME
    }

    /// Checkpoints and stops it, unless another process uses it.
    ///
    /// # Errors
    /// Transient when it cannot be stopped.
    pub async fn stop(&self) -> Result<()> {
        let _stopping = settle(&self.home).await?;
        drop(self.presence.lock().expect("no holder of this lock panics").take());
        let alone = acquire_alone(&self.home.join(PRESENCE)).await.doing(|| "stopping the control database")?;
        let Some(_alone) = alone else { return Ok(()) };
        self.cluster.stop().await?;
        if operator_is_root() {
            withdraw(&self.exposed)?;
        }
        unlink(&self.exposed).doing(|| format!("removing {}", self.exposed.display()))
    }
}

/// Keeps others from starting and stopping it meanwhile.
async fn settle(home: &Path) -> Result<Lock> {
    let missing = || Error::Refused(format!("{} is not a folder", home.display()));
    acquire(&home.join("control.lock"), Mode::Exclusive, PATIENCE).await?.ok_or_else(missing)
}

fn control_owner(home: &Path, uids: RangeInclusive<u32>) -> Result<Option<Owner>> {
    if !operator_is_root() {
        return Ok(None);
    }
    let register = Register::open(home.join("uids"), uids, 0).doing(|| "opening the register of users")?;
    let uid = register.hold(HOLDER, |_| true).doing(|| "choosing a user for the control database")?;
    uid.map(|uid| Some(Owner::numbered(uid))).ok_or_else(|| Error::Full("all users for projects are taken".to_owned()))
}

async fn initialise(cluster: &Cluster, exposed: &Path) -> Result<()> {
    let unfinished = Cluster { data: exposed.join("pgdata.new"), ..cluster.clone() };
    let doing = || format!("making {}", cluster.data.display());
    remove_folder(&unfinished.data).doing(doing)?;
    private_folder(&unfinished.data, cluster.owner).doing(doing)?;
    unfinished.initialise(SEGMENT_MIB).await?;
    copy::sync(&unfinished.data).doing(doing)?;
    fs::rename(&unfinished.data, &cluster.data).doing(doing)?;
    copy::sync(exposed).doing(doing)
}

fn refuse_other_version(cluster: &Cluster) -> Result<()> {
    let path = cluster.data.join("PG_VERSION");
    let version = fs::read_to_string(&path).doing(|| format!("reading {}", path.display()))?;
    if version.trim() == cluster.distribution.major.to_string() {
        return Ok(());
    }
    let (made_by, have) = (version.trim(), cluster.distribution.major);
    Err(Error::Refused(format!(
        "the control database was made by Postgres {made_by} and cannot be opened by {have}; on Debian: apt install postgresql-{made_by}"
    )))
}

async fn ensure_database(cluster: &Cluster) -> Result<()> {
    let client = cluster.connect(NAME, "postgres").await?;
    let doing = || "preparing the control database";
    if client.query_opt("select 1 from pg_database where datname = $1", &[&NAME]).await.doing(doing)?.is_none() {
        client.batch_execute(&format!("create database {NAME}")).await.doing(doing)?;
    }
    Ok(())
}
