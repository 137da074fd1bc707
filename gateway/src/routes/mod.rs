//! The route table: which project serves which host. Kept in memory for requests and on disk for restarts.

mod files;

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{Arc, RwLock},
};

use data_plane_contract::routes::Route;
use ids::ProjectId;

use crate::{error::Error, meter::Meter, projects::Project};

/// A project may have this many hosts.
const MAX_HOSTS: usize = 100;
const MAX_HOST_LENGTH: usize = 253;

/// Why a route was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PutError {
    #[error("{0}")]
    Invalid(&'static str),
    #[error("host {0} belongs to another project")]
    HostTaken(String),
    #[error("the route could not be written to disk")]
    Disk(#[source] io::Error),
}

/// All routes of one gateway.
pub(crate) struct Routes {
    folder: PathBuf,
    meter: Arc<Meter>,
    table: RwLock<Table>,
    /// Held over a change on disk and in memory.
    changing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Table {
    hosts: HashMap<Box<str>, Arc<Project>>,
    projects: HashMap<ProjectId, Arc<Project>>,
}

impl Routes {
    /// Reads the routes of `folder`. A file that cannot be used is set aside and reported, and does not stop the others.
    pub(crate) fn load(folder: PathBuf, meter: Arc<Meter>) -> Result<Self, Error> {
        let loaded = files::load(&folder).map_err(Error::folder(&folder))?;
        let mut table = Table::default();
        for (path, route) in loaded {
            match table.check(&route) {
                Ok(()) => table.set(route, &meter),
                Err(error) => files::set_aside(&path, &error),
            }
        }
        tracing::info!(routes = table.projects.len(), "routes read from disk");
        Ok(Self { folder, meter, table: RwLock::new(table), changing: tokio::sync::Mutex::default() })
    }

    /// The project that serves a host, given in lower case without port.
    pub(crate) fn find(&self, host: &str) -> Option<Arc<Project>> {
        self.table.read().expect("no holder of this lock panics").hosts.get(host).cloned()
    }

    /// All projects with a route.
    pub(crate) fn projects(&self) -> Vec<Arc<Project>> {
        self.table.read().expect("no holder of this lock panics").projects.values().cloned().collect()
    }

    /// Sets a project's route, durably before it takes effect.
    pub(crate) async fn put(&self, route: Route) -> Result<(), PutError> {
        let _changing = self.changing.lock().await;
        let known = {
            let table = self.table.read().expect("no holder of this lock panics");
            table.check(&route)?;
            table.projects.get(&route.project_id).is_some_and(|project| *project.route() == route)
        };
        if known {
            return Ok(());
        }
        files::write(self.folder.clone(), route.clone()).await.map_err(PutError::Disk)?;
        self.table.write().expect("no holder of this lock panics").set(route, &self.meter);
        Ok(())
    }

    /// Takes a project's route away; nothing there is fine.
    pub(crate) async fn remove(&self, project_id: ProjectId) -> io::Result<()> {
        let _changing = self.changing.lock().await;
        files::remove(self.folder.clone(), project_id).await?;
        self.table.write().expect("no holder of this lock panics").unset(project_id);
        Ok(())
    }

    /// Writes the address a project was woken at, so that a restart does not look for it where it used to be.
    pub(crate) async fn keep(&self, project: &Arc<Project>) {
        let _changing = self.changing.lock().await;
        let current = {
            let table = self.table.read().expect("no holder of this lock panics");
            table.projects.get(&project.id).is_some_and(|known| Arc::ptr_eq(known, project))
        };
        if !current {
            return;
        }
        if let Err(error) = files::write(self.folder.clone(), (*project.route()).clone()).await {
            tracing::warn!(project.id = %project.id, error = %error, "the new address of a woken project was not written to disk");
        }
    }
}

impl Table {
    fn check(&self, route: &Route) -> Result<(), PutError> {
        if route.hosts.is_empty() || route.hosts.len() > MAX_HOSTS {
            return Err(PutError::Invalid("a route has between 1 and 100 hosts"));
        }
        if route.upstream.port() == 0 {
            return Err(PutError::Invalid("the upstream address needs a port"));
        }
        for host in &route.hosts {
            if !valid_host(host) {
                return Err(PutError::Invalid("hosts are lower-case names without port"));
            }
            if self.hosts.get(host.as_str()).is_some_and(|owner| owner.id != route.project_id) {
                return Err(PutError::HostTaken(host.clone()));
            }
        }
        Ok(())
    }

    fn set(&mut self, route: Route, meter: &Meter) {
        let project = match self.projects.get(&route.project_id) {
            Some(project) => Arc::clone(project),
            None => Arc::new(Project::new(route.clone(), meter.counters(route.project_id))),
        };
        for host in project.route().hosts.iter().filter(|host| !route.hosts.contains(host)) {
            self.hosts.remove(host.as_str());
        }
        for host in &route.hosts {
            self.hosts.insert(host.as_str().into(), Arc::clone(&project));
        }
        self.projects.insert(route.project_id, Arc::clone(&project));
        project.replace_route(route);
    }

    fn unset(&mut self, project_id: ProjectId) {
        if let Some(project) = self.projects.remove(&project_id) {
            for host in &project.route().hosts {
                self.hosts.remove(host.as_str());
            }
            project.withdraw();
        }
    }
}

fn valid_host(host: &str) -> bool {
    let label_is_valid = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
    };
    host.len() <= MAX_HOST_LENGTH && host.split('.').all(label_is_valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_checked() {
        for host in ["a", "abc-x1y.us-east.localhost", "shop.example.com", "xn--bcher-kva.example"] {
            assert!(valid_host(host), "{host}");
        }
        for host in ["", "A.b", "a..b", ".a", "a.", "a:80", "-a.b", "a b", "*.b", "[::1]"] {
            assert!(!valid_host(host), "{host}");
        }
    }
}
