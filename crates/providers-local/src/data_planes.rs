//! A project's data-plane process: defining, starting, stopping and forgetting it.

use std::{
    ffi::OsString,
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    time::Duration,
};

use ids::ProjectId;
use providers::{DataPlaneDescription, DataPlaneSpec, Error, Result};
use rustix::process::Signal;
use secrecy::ExposeSecret as _;
use tokio::{net::TcpStream, time::Instant};

use crate::{
    environment::{INSTANCE_TYPE, Place, provided, same, value},
    failure::{Doing as _, remove_file},
    layout::ProjectFolder,
    node::Node,
    owner::Owner,
    process::{Identity, Launch, Noted, kill_strays, last_line},
    record::{DataPlaneRecord, DatabaseStage, Record},
    runs,
};

const POLL: Duration = Duration::from_millis(2);
const PORT_ATTEMPTS: u32 = 5;
const START_PATIENCE: Duration = Duration::from_secs(60);
/// A data plane drains for 5 s at most.
const STOP: &[(Signal, Duration)] = &[(Signal::TERM, Duration::from_secs(10)), (Signal::KILL, Duration::from_secs(10))];

/// Where a data plane with this port listens.
pub(crate) fn data_plane_address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

impl Node {
    pub(crate) fn describe_data_plane(&self, id: ProjectId) -> Result<Option<DataPlaneDescription>> {
        let folder = self.layout.project(id);
        let defined = Record::load(&folder)?.and_then(|record| record.data_plane);
        Ok(defined.map(|plane| DataPlaneDescription {
            project_id: id,
            address: data_plane_address(plane.port),
            running: self.data_plane_runs(&folder),
        }))
    }

    /// Files are opened without following links: they belong to the project's own user.
    pub(crate) fn copy_usage(&self, id: ProjectId, into: &Path) -> Result<()> {
        let from = self.layout.project(id).state().join("usage");
        let doing = || format!("copying the usage of project {id}");
        let entries = match fs::read_dir(&from) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.doing(doing)?,
        };
        for entry in entries {
            let entry = entry.doing(doing)?;
            if !entry.file_type().doing(doing)?.is_file() {
                continue;
            }
            let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
            let opened = fs::OpenOptions::new().read(true).custom_flags(flags).open(entry.path());
            let mut copy = fs::File::create_new(into.join(entry.file_name())).doing(doing)?;
            io::copy(&mut opened.doing(doing)?, &mut copy).doing(doing)?;
        }
        Ok(())
    }

    pub(crate) fn list_data_planes(&self) -> Result<Vec<ProjectId>> {
        let mut ids = self.layout.project_ids().doing(|| "listing projects")?;
        ids.retain(|id| !matches!(self.describe_data_plane(*id), Ok(None)));
        Ok(ids)
    }

    pub(crate) async fn ensure_data_plane(&self, spec: &DataPlaneSpec) -> Result<DataPlaneDescription> {
        let id = spec.project_id;
        let (_lock, folder, mut record) = self.lock_existing(id).await?;
        let known = self.open_environment(id, &folder)?;
        let unchanged = record.size == spec.size && known.is_some_and(|known| same(&known, &spec.environment));
        if !unchanged {
            self.seal_environment(id, &folder, &spec.environment)?;
        }
        record.size = spec.size;
        if !unchanged {
            self.stop_data_plane_process(&folder, record.owner).await?;
        }
        let address = match record.data_plane {
            Some(plane) => self.start_at(id, &folder, &mut record, plane.port).await?,
            None => self.start_somewhere(id, &folder, &mut record).await?,
        };
        Ok(DataPlaneDescription { project_id: id, address, running: true })
    }

    async fn start_at(
        &self,
        id: ProjectId,
        folder: &ProjectFolder,
        record: &mut Record,
        port: u16,
    ) -> Result<SocketAddr> {
        record.data_plane = Some(DataPlaneRecord { port, stopped: false });
        record.save(folder)?;
        self.mark_awake(id)?;
        self.start_project(id, folder, record).await
    }

    /// Starts a data plane that has no port yet. A port that was free may be taken by the time it is used, by another home's project for
    /// example; then another one is chosen.
    async fn start_somewhere(&self, id: ProjectId, folder: &ProjectFolder, record: &mut Record) -> Result<SocketAddr> {
        let mut attempts = 1;
        loop {
            let port = self.port_for(id)?;
            match self.start_at(id, folder, record, port).await {
                Err(_)
                    if attempts < PORT_ATTEMPTS
                        && !self.data_plane_runs(folder)
                        && TcpListener::bind(data_plane_address(port)).is_err() =>
                {
                    self.ports.release(&id.to_string()).doing(|| format!("choosing another port for project {id}"))?;
                    attempts += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// Starts whatever of the project does not run. The caller holds its lock.
    pub(crate) async fn start_project(
        &self,
        id: ProjectId,
        folder: &ProjectFolder,
        record: &Record,
    ) -> Result<SocketAddr> {
        self.start_postgres(id, folder, record).await?;
        let plane = record.data_plane.ok_or_else(|| Error::Missing(format!("the data plane of project {id}")))?;
        if !self.data_plane_runs(folder) {
            self.start_data_plane_process(id, folder, record, plane.port).await?;
        }
        Ok(data_plane_address(plane.port))
    }

    async fn start_data_plane_process(
        &self,
        id: ProjectId,
        folder: &ProjectFolder,
        record: &Record,
        port: u16,
    ) -> Result<()> {
        let doing = || format!("starting the data plane of project {id}");
        // One that was started but is not known to serve may be half-way through anything; begin anew.
        self.stop_data_plane_process(folder, record.owner).await?;
        let variables = self
            .open_environment(id, folder)?
            .ok_or_else(|| Error::Missing(format!("the environment of project {id}")))?;
        let given = variables.iter().map(|(name, value)| (name.clone(), OsString::from(value.expose_secret())));
        let provided = provided(&Place { folder: &folder.root, port }, &self.program_path);
        let environment = given.chain(provided).chain(self.environment.iter().cloned()).collect();
        let (state, log) = (folder.state(), folder.logs().join("data-plane.log"));
        let launch = Launch {
            program: &self.binary.path,
            arguments: vec![],
            environment,
            folder: &state,
            owner: record.owner,
            log: &log,
        };
        self.relax(id);
        let identity = launch.start().doing(doing)?;
        self.admit_to_limits(id, record.size, identity.pid);
        let note = folder.data_plane_process();
        let instance_type = value(&variables, INSTANCE_TYPE).map(|name| name.expose_secret().to_owned());
        let noted = Noted { identity: identity.clone(), ready: false, instance_type };
        noted.save(&note).doing(doing)?;
        match identity.watch().doing(doing)? {
            Some(process) => {
                let (folder, identity) = (folder.clone(), identity.clone());
                tokio::spawn(async move { runs::watch_end(&folder, &identity, &process).await });
            }
            None => runs::note_end(folder, &identity),
        }
        wait_listening(id, &identity, port, &log, record.owner).await?;
        Noted { ready: true, ..noted }.save(&note).doing(doing)?;
        self.settle(id, record);
        Ok(())
    }

    /// Ends the process and whatever it started; the caller holds the project's lock. Postgres is left alone.
    pub(crate) async fn stop_data_plane_process(&self, folder: &ProjectFolder, owner: Option<Owner>) -> Result<()> {
        let doing = || format!("stopping the data plane in {}", folder.root.display());
        let note = folder.data_plane_process();
        let known = note.exists();
        if let Some(noted) = Noted::read(&note) {
            if let Some(process) = noted.identity.watch().doing(doing)? {
                if !process.stop(STOP).await.doing(doing)? {
                    return Err(Error::transient(doing(), "it survived every signal"));
                }
                runs::note_end(folder, &noted.identity);
            }
            // A full disk, for example, must not keep a project from being stopped.
            if let Err(error) = runs::tell_end(folder, &noted, owner).await {
                tracing::warn!(error = %error, project = %folder.root.display(), "the end of a data plane could not be told to its meter");
            }
        }
        if known {
            let postgres = fs::canonicalize(folder.live().pgdata()).unwrap_or_else(|_gone| folder.live().pgdata());
            kill_strays(&folder.root, owner, |working| !working.starts_with(&postgres)).await.doing(doing)?;
        }
        remove_file(&note).doing(doing)?;
        if known { runs::forget_ends(folder).doing(doing) } else { Ok(()) }
    }

    pub(crate) async fn stop_data_plane(&self, id: ProjectId) -> Result<()> {
        let Some(_lock) = self.lock(id).await? else { return Ok(()) };
        let folder = self.layout.project(id);
        let Some(mut record) = Record::load(&folder)? else { return Ok(()) };
        let Some(plane) = &mut record.data_plane else { return Ok(()) };
        if !plane.stopped {
            plane.stopped = true;
            record.save(&folder)?;
        }
        self.stop_data_plane_process(&folder, record.owner).await
    }

    pub(crate) async fn drop_data_plane(&self, id: ProjectId) -> Result<()> {
        let Some(_lock) = self.lock(id).await? else { return Ok(()) };
        let folder = self.layout.project(id);
        let Some(mut record) = Record::load(&folder)? else { return Ok(()) };
        let doing = || format!("removing the data plane of project {id}");
        if let Some(plane) = &mut record.data_plane {
            plane.stopped = true;
            record.save(&folder)?;
        }
        self.stop_data_plane_process(&folder, record.owner).await?;
        remove_file(&folder.environment()).doing(doing)?;
        self.ports.release(&id.to_string()).doing(doing)?;
        record.data_plane = None;
        record.save(&folder)?;
        if record.database == DatabaseStage::Removed {
            return self.remove_project(id, &folder, record.owner).await;
        }
        Ok(())
    }

    fn port_for(&self, id: ProjectId) -> Result<u16> {
        let free =
            |port: u32| u16::try_from(port).is_ok_and(|port| TcpListener::bind(data_plane_address(port)).is_ok());
        let port = self.ports.hold(&id.to_string(), free).doing(|| format!("choosing a port for project {id}"))?;
        port.and_then(|port| port.try_into().ok())
            .ok_or_else(|| Error::Full("all ports for projects are taken".to_owned()))
    }
}

async fn wait_listening(id: ProjectId, identity: &Identity, port: u16, log: &Path, owner: Option<Owner>) -> Result<()> {
    let doing = || format!("starting the data plane of project {id}");
    let Some(process) = identity.watch().doing(doing)? else { return Err(Error::transient(doing(), last_line(log))) };
    let deadline = Instant::now() + START_PATIENCE;
    while TcpStream::connect(data_plane_address(port)).await.is_err() {
        if tokio::time::timeout(POLL, process.ended()).await.is_ok() {
            return Err(Error::transient(doing(), last_line(log)));
        }
        if Instant::now() > deadline {
            return Err(Error::transient(doing(), "it did not listen in time"));
        }
    }
    // Another project's process could have taken the port of one that slept; nothing may then be sent there.
    if owner.is_some_and(|owner| listener_uid(port).is_some_and(|uid| uid != owner.uid)) {
        process.stop(STOP).await.doing(doing)?;
        return Err(Error::transient(doing(), format!("port {port} is taken by another user's process")));
    }
    Ok(())
}

/// Who listens on a loopback port.
fn listener_uid(port: u16) -> Option<u32> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let listening = fields.get(3).is_some_and(|state| *state == "0A");
        let local = u16::from_str_radix(fields.get(1)?.rsplit_once(':')?.1, 16).ok()?;
        if listening && local == port { fields.get(7)?.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listener_of_a_port_is_known_by_its_uid() {
        let listener = TcpListener::bind(data_plane_address(0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        assert_eq!(listener_uid(port), Some(rustix::process::geteuid().as_raw()));
        drop(listener);
        assert_eq!(listener_uid(port), None);
    }
}
