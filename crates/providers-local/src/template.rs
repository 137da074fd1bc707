//! The template: an empty cluster that the data plane's own program has migrated, kept per distribution and program. New projects are its copies.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use model::instances::InstanceType;
use providers::{Error, Result};

use crate::{
    copy,
    environment::{Place, provided},
    failure::{Doing as _, blocking, remove_folder},
    layout::Contents,
    lock::{Mode, PATIENCE, acquire},
    node::Node,
    owner::{Owner, folder, operator_is_root, private_folder},
    postgres::{Cluster, DATABASE, Distribution, OWNER_ROLE, SUPERUSER, project_settings},
    process::{Launch, last_line},
};

const HOLDER: &str = "template";
/// Small segments make the template, and with it every project, a third smaller.
const SEGMENT_MIB: u32 = 1;

impl Node {
    /// The template for this distribution, built when absent.
    pub(crate) async fn template(&self, distribution: &Distribution) -> Result<Contents> {
        let templates = self.layout.templates();
        let ready = Contents { root: templates.join(format!("{}-{}", distribution.name, self.binary.hash)) };
        if ready.root.exists() {
            return Ok(ready);
        }
        folder(&templates, 0o700, None).doing(|| format!("making {}", templates.display()))?;
        let _building = acquire(&templates.join("lock"), Mode::Exclusive, PATIENCE).await?;
        if ready.root.exists() {
            return Ok(ready);
        }
        let site = self.layout.data.join("building");
        let owner = self.template_owner()?;
        let built = self.build(distribution, &site, owner).await;
        self.uids.release(HOLDER).doing(|| "freeing the template's user")?;
        built?;
        let (from, to, prefix) = (site, ready.root.clone(), format!("{}-", distribution.name));
        blocking(move || keep(&from, &to, &prefix).doing(|| "keeping the template")).await?;
        Ok(ready)
    }

    fn template_owner(&self) -> Result<Option<Owner>> {
        if !operator_is_root() {
            return Ok(None);
        }
        let uid = self.uids.hold(HOLDER, |_| true).doing(|| "choosing a user for the template")?;
        uid.map(|uid| Some(Owner::numbered(uid)))
            .ok_or_else(|| Error::Full("all users for projects are taken".to_owned()))
    }

    async fn build(&self, distribution: &Distribution, site: &Path, owner: Option<Owner>) -> Result<()> {
        let cluster = Cluster {
            distribution: distribution.clone(),
            data: site.join("pgdata"),
            sockets: site.join("run"),
            log: site.join("logs/postgres.log"),
            note: site.join("postgres.json"),
            owner,
            superuser: SUPERUSER.to_owned(),
        };
        // An earlier attempt may have been killed with its server still running.
        cluster.stop().await?;
        remove_folder(site).and_then(|()| folder(site, 0o711, None)).doing(|| format!("making {}", site.display()))?;
        for name in ["pgdata", "storage", "run", "logs", "state"] {
            private_folder(&site.join(name), owner).doing(|| format!("making {}", site.join(name).display()))?;
        }
        cluster.initialise(SEGMENT_MIB).await?;
        cluster.configure(&project_settings(InstanceType::Nano.size()))?;
        cluster.start(|_| ()).await?;
        let filled = match prepare_roles(&cluster).await {
            Ok(()) => self.migrate(site, owner).await,
            failed => failed,
        };
        cluster.stop().await?;
        filled
    }

    async fn migrate(&self, site: &Path, owner: Option<Owner>) -> Result<()> {
        let place = Place { folder: site, port: 0 };
        let environment: Vec<(String, OsString)> = provided(&place, &self.program_path);
        let (folder, log) = (site.join("state"), site.join("logs/migrate.log"));
        let launch = Launch {
            program: &self.binary.path,
            arguments: vec!["migrate".into()],
            environment,
            folder: &folder,
            owner,
            log: &log,
        };
        let output =
            launch.command().output().await.doing(|| format!("running {} migrate", self.binary.path.display()))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said =
            said.lines().rev().find(|line| !line.trim().is_empty()).map_or_else(|| last_line(&log), str::to_owned);
        Err(Error::transient("preparing the template with hearth-data-plane migrate", said))
    }
}

async fn prepare_roles(cluster: &Cluster) -> Result<()> {
    let client = cluster.connect(SUPERUSER, "postgres").await?;
    let doing = || "preparing the template's roles";
    let role = format!("create role {OWNER_ROLE} login nosuperuser nocreaterole bypassrls");
    client.batch_execute(&role).await.doing(doing)?;
    client.batch_execute(&format!("create database {DATABASE} owner {OWNER_ROLE}")).await.doing(doing)
}

/// Puts a built site in its final place, durably, and removes templates it replaces. What ran in it stays behind.
fn keep(site: &Path, ready: &Path, prefix: &str) -> std::io::Result<()> {
    for name in ["run", "logs", "state"] {
        remove_folder(&site.join(name))?;
    }
    let templates = ready.parent().map(Path::to_owned).unwrap_or_default();
    let earlier: Vec<PathBuf> = fs::read_dir(&templates)?
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect();
    copy::sync(site)?;
    fs::rename(site, ready)?;
    copy::sync(&templates)?;
    earlier.iter().try_for_each(|path| remove_folder(path))
}
