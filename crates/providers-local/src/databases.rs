//! Making, starting, stopping and removing a project's cluster.

use std::{fs, sync::Arc};

use ids::ProjectId;
use model::instances::InstanceSize;
use providers::{DatabaseDescription, DatabaseSource, DatabaseSpec, Error, Result};

use crate::{
    clone::{copy_still, put_in_place},
    copy,
    failure::{Doing as _, blocking, remove_file, remove_folder},
    layout::{Contents, ProjectFolder},
    lock::{Lock, Mode, PATIENCE, acquire},
    node::Node,
    owner::{Owner, folder as make_folder, operator_is_root, private_folder},
    postgres::{Cluster, Distribution, project_settings, throw_away_settings},
    process::{boot_id, kill_strays},
    record::{DatabaseStage, Record},
};

/// A project that is being cloned: it may be used, but not stopped or removed.
struct Parent {
    id: ProjectId,
    folder: ProjectFolder,
    record: Record,
    _lock: Lock,
}

impl Node {
    pub(crate) fn describe_database(&self, id: ProjectId) -> Result<Option<DatabaseDescription>> {
        let folder = self.layout.project(id);
        if !folder.root.exists() {
            return Ok(None);
        }
        let record = Record::load(&folder)?;
        if record
            .as_ref()
            .is_some_and(|record| record.database == DatabaseStage::Removed && !folder.live().pgdata().exists())
        {
            return Ok(None);
        }
        let ready = record.as_ref().is_some_and(Record::startable);
        let distribution = record.map_or_else(|| "unknown".to_owned(), |record| record.distribution);
        let running = ready && self.postgres_runs(&folder);
        Ok(Some(DatabaseDescription { project_id: id, running, distribution, snapshots: snapshot_names(&folder)? }))
    }

    pub(crate) fn list_databases(&self) -> Result<Vec<ProjectId>> {
        let mut ids = self.layout.project_ids().doing(|| "listing projects")?;
        // One that cannot be described is listed: something of it is there.
        ids.retain(|id| !matches!(self.describe_database(*id), Ok(None)));
        Ok(ids)
    }

    pub(crate) async fn ensure_database(self: Arc<Self>, spec: DatabaseSpec) -> Result<()> {
        let id = spec.project_id;
        let folder = self.layout.project(id);
        if !folder.root.exists() {
            self.pool.admit()?;
            make_folder(&folder.root, 0o711, None).doing(|| format!("making {}", folder.root.display()))?;
        }
        let vanished = || Error::transient(format!("making project {id}"), "it is being removed");
        let _lock = self.lock(id).await?.ok_or_else(vanished)?;
        match Record::load(&folder)? {
            Some(mut record) if record.startable() => {
                self.resize(&folder, &mut record, spec.size)?;
                self.mark_awake(id)?;
                self.start_postgres(id, &folder, &record).await
            }
            earlier => self.make_database(&spec, &folder, earlier).await,
        }
    }

    fn resize(&self, folder: &ProjectFolder, record: &mut Record, size: InstanceSize) -> Result<()> {
        if record.size == size {
            return Ok(());
        }
        record.size = size;
        record.save(folder)
    }

    /// Makes the first contents; what an interrupted attempt left is worthless and goes first.
    async fn make_database(&self, spec: &DatabaseSpec, folder: &ProjectFolder, earlier: Option<Record>) -> Result<()> {
        let id = spec.project_id;
        let parent = match spec.source {
            DatabaseSource::Template => None,
            DatabaseSource::Clone(parent) => Some(self.lock_parent(parent).await?),
        };
        let distribution = match &parent {
            Some(parent) => self.distribution(&parent.record.distribution)?.clone(),
            None => self
                .distributions
                .first()
                .cloned()
                .ok_or_else(|| Error::Refused("no Postgres is installed".to_owned()))?,
        };
        let owner = self.owner_for(id)?;
        let data_plane = earlier.and_then(|record| record.data_plane);
        let mut record = Record {
            owner,
            distribution: distribution.name.clone(),
            size: spec.size,
            database: DatabaseStage::Making,
            throw_away: spec.throw_away.then(boot_id).transpose().doing(|| "reading which boot this is")?,
            reset: None,
            data_plane,
        };
        record.save(folder)?;
        self.clear_contents(folder, owner).await?;
        make_folders(folder, owner)?;
        match &parent {
            Some(parent) => {
                self.copy_live(parent.id, &parent.folder, &parent.record, &folder.incoming(), owner).await?
            }
            None => self.copy_template(&distribution, folder, owner).await?,
        }
        put_in_place(&folder.incoming(), &folder.live()).doing(|| format!("completing {}", folder.root.display()))?;
        drop(parent);
        self.start_first_time(id, folder, &mut record).await
    }

    async fn lock_parent(&self, id: ProjectId) -> Result<Parent> {
        let missing = || Error::Missing(format!("the database of project {id}"));
        let folder = self.layout.project(id);
        let lock = acquire(&folder.lock(), Mode::Shared, PATIENCE).await?.ok_or_else(missing)?;
        let record = Record::load(&folder)?.filter(Record::startable).ok_or_else(missing)?;
        Ok(Parent { id, folder, record, _lock: lock })
    }

    async fn copy_template(
        &self,
        distribution: &Distribution,
        folder: &ProjectFolder,
        owner: Option<Owner>,
    ) -> Result<()> {
        let (template, incoming): (Contents, Contents) = (self.template(distribution).await?, folder.incoming());
        blocking(move || copy_still(&template, &incoming, owner)).await
    }

    /// Starts a new cluster while its files are made durable, if they have to be; only then is it ready.
    async fn start_first_time(&self, id: ProjectId, folder: &ProjectFolder, record: &mut Record) -> Result<()> {
        let root = folder.root.clone();
        let must_last = record.throw_away.is_none();
        let durable = async {
            match must_last {
                true => blocking(move || copy::sync(&root).doing(|| format!("syncing {}", root.display()))).await,
                false => Ok(()),
            }
        };
        let (started, durable) = tokio::join!(self.start_postgres(id, folder, record), durable);
        started?;
        durable?;
        remove_folder(&folder.incoming().root).doing(|| format!("tidying {}", folder.root.display()))?;
        record.database = DatabaseStage::Ready;
        record.save(folder)?;
        self.mark_awake(id)
    }

    /// Starts the project's Postgres, unless it runs.
    pub(crate) async fn start_postgres(&self, id: ProjectId, folder: &ProjectFolder, record: &Record) -> Result<()> {
        let cluster = self.cluster(folder, record)?;
        if cluster.running() {
            return Ok(());
        }
        make_folders(folder, record.owner)?;
        let settings = if record.throw_away.is_some() { throw_away_settings } else { project_settings };
        cluster.configure(&settings(record.size))?;
        self.relax(id);
        cluster.start(|pid| self.admit_to_limits(id, record.size, pid)).await?;
        self.settle(id, record);
        Ok(())
    }

    /// Stops data plane and cluster and notes that nothing is wanted.
    pub(crate) async fn stop_database(&self, id: ProjectId) -> Result<()> {
        let Some(_lock) = self.lock(id).await? else { return Ok(()) };
        let folder = self.layout.project(id);
        self.mark_asleep(id)?;
        self.stop_processes(&folder).await
    }

    /// Ends both processes of a project, gracefully; the caller holds its lock.
    pub(crate) async fn stop_processes(&self, folder: &ProjectFolder) -> Result<()> {
        let Some(record) = Record::load(folder)? else { return Ok(()) };
        self.stop_data_plane_process(folder, record.owner).await?;
        self.with_cluster(folder, &record, async |cluster| cluster.stop().await).await
    }

    async fn with_cluster(
        &self,
        folder: &ProjectFolder,
        record: &Record,
        end: impl AsyncFnOnce(Cluster) -> Result<()>,
    ) -> Result<()> {
        match self.cluster(folder, record) {
            Ok(cluster) => end(cluster).await,
            // Its programs may be gone; then nothing of it can have been started.
            Err(Error::Refused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn drop_database(&self, id: ProjectId) -> Result<()> {
        let Some(_lock) = self.lock(id).await? else { return Ok(()) };
        let folder = self.layout.project(id);
        self.mark_asleep(id)?;
        let Some(mut record) = Record::load(&folder)? else { return self.remove_project(id, &folder, None).await };
        record.database = DatabaseStage::Removed;
        record.reset = None;
        record.save(&folder)?;
        self.stop_data_plane_process(&folder, record.owner).await?;
        self.with_cluster(&folder, &record, async |cluster| cluster.abandon().await).await?;
        self.clear_contents(&folder, record.owner).await?;
        if record.data_plane.is_some() {
            return Ok(());
        }
        self.remove_project(id, &folder, record.owner).await
    }

    /// Removes all data of a project, after ending whatever still works on it.
    async fn clear_contents(&self, folder: &ProjectFolder, owner: Option<Owner>) -> Result<()> {
        let doing = || format!("clearing {}", folder.root.display());
        kill_strays(&folder.root, owner, |_| true).await.doing(doing)?;
        let mut folders = vec![folder.incoming().root, folder.live().pgdata(), folder.live().storage()];
        folders.extend([folder.snapshots(), folder.reset(), folder.run(), folder.state(), folder.logs()]);
        remove_file(&folder.postgres_process())
            .and_then(|()| remove_file(&folder.data_plane_process()))
            .doing(doing)?;
        blocking(move || folders.iter().try_for_each(|path| remove_folder(path)).doing(|| "removing a project's data"))
            .await
    }

    /// Removes the last of a project: its groups, numbers and folder, in an order that a second attempt can finish.
    pub(crate) async fn remove_project(
        &self,
        id: ProjectId,
        folder: &ProjectFolder,
        owner: Option<Owner>,
    ) -> Result<()> {
        self.clear_contents(folder, owner).await?;
        let doing = || format!("removing project {id}");
        self.limits.remove(id).doing(doing)?;
        self.ports.release(&id.to_string()).doing(doing)?;
        self.uids.release(&id.to_string()).doing(doing)?;
        self.developers.forget(id);
        let folder = folder.clone();
        blocking(move || remove_folder(&folder.root).doing(|| format!("removing {}", folder.root.display()))).await
    }

    fn owner_for(&self, id: ProjectId) -> Result<Option<Owner>> {
        if !operator_is_root() {
            return Ok(None);
        }
        let uid = self.uids.hold(&id.to_string(), |_| true).doing(|| format!("choosing a user for project {id}"))?;
        uid.map(|uid| Some(Owner::numbered(uid)))
            .ok_or_else(|| Error::Full("all users for projects are taken".to_owned()))
    }

    /// Limits are a courtesy between projects: without them everything still works, so failing to set one is only said.
    pub(crate) fn admit_to_limits(&self, id: ProjectId, size: InstanceSize, pid: i32) {
        warn_unlimited(id, self.limits.admit(id, size, pid));
    }

    pub(crate) fn relax(&self, id: ProjectId) {
        warn_unlimited(id, self.limits.relax(id));
    }

    pub(crate) fn settle(&self, id: ProjectId, record: &Record) {
        if record.throw_away.is_none() {
            warn_unlimited(id, self.limits.settle(id, record.size));
        }
    }
}

fn warn_unlimited(id: ProjectId, outcome: std::io::Result<()>) {
    if let Err(cause) = outcome {
        tracing::warn!(project.id = %id, error = %cause, "could not set a project's limits");
    }
}

/// The folders every project has beside its contents.
fn make_folders(folder: &ProjectFolder, owner: Option<Owner>) -> Result<()> {
    let own = [folder.run(), folder.logs(), folder.state()];
    let made = own.iter().try_for_each(|path| private_folder(path, owner));
    made.and_then(|()| private_folder(&folder.processes(), None))
        .and_then(|()| private_folder(&folder.snapshots(), None))
        .doing(|| format!("making folders in {}", folder.root.display()))
}

/// Names of complete snapshots.
fn snapshot_names(folder: &ProjectFolder) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder.snapshots()) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        entries => entries.doing(|| format!("listing {}", folder.snapshots().display()))?,
    };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    Ok(names)
}
