//! Clusters of the fake.

use std::collections::BTreeMap;

use async_trait::async_trait;
use ids::ProjectId;

use super::{Fake, FakeDatabase, State};
use crate::{Database, DatabaseDescription, DatabaseReader, DatabaseSource, DatabaseSpec, Error, Result};

impl State {
    fn database(&mut self, project_id: ProjectId) -> Result<&mut FakeDatabase> {
        self.databases
            .get_mut(&project_id)
            .ok_or_else(|| Error::Missing(format!("the database of project {project_id}")))
    }

    /// A stopped cluster stops its data plane too.
    fn halt(&mut self, project_id: ProjectId) {
        if let Some(plane) = self.data_planes.get_mut(&project_id) {
            plane.running = false;
        }
        if let Some(database) = self.databases.get_mut(&project_id) {
            database.running = false;
        }
    }
}

#[async_trait]
impl DatabaseReader for Fake {
    async fn describe_database(&self, project_id: ProjectId) -> Result<Option<DatabaseDescription>> {
        self.call("describe_database", Some(project_id), |state| {
            Ok(state.databases.get(&project_id).map(|database| DatabaseDescription {
                project_id,
                running: database.running,
                distribution: "fake".to_owned(),
                snapshots: database.snapshots.keys().cloned().collect(),
            }))
        })
        .await
    }

    async fn list_databases(&self) -> Result<Vec<ProjectId>> {
        self.call("list_databases", None, |state| Ok(state.databases.keys().copied().collect())).await
    }
}

#[async_trait]
impl Database for Fake {
    async fn ensure_database(&self, spec: &DatabaseSpec) -> Result<()> {
        self.call("ensure_database", Some(spec.project_id), |state| {
            if !state.databases.contains_key(&spec.project_id) {
                let contents = match spec.source {
                    DatabaseSource::Template => Vec::new(),
                    DatabaseSource::Clone(parent) => state.database(parent)?.contents.clone(),
                };
                let made = FakeDatabase {
                    running: true,
                    size: spec.size,
                    contents,
                    snapshots: BTreeMap::new(),
                    prepared: None,
                    old: None,
                };
                state.databases.insert(spec.project_id, made);
            }
            let database = state.database(spec.project_id)?;
            database.running = true;
            database.size = spec.size;
            Ok(())
        })
        .await
    }

    async fn stop_database(&self, project_id: ProjectId) -> Result<()> {
        self.call("stop_database", Some(project_id), |state| {
            state.halt(project_id);
            Ok(())
        })
        .await
    }

    async fn drop_database(&self, project_id: ProjectId) -> Result<()> {
        self.call("drop_database", Some(project_id), |state| {
            state.halt(project_id);
            state.databases.remove(&project_id);
            Ok(())
        })
        .await
    }

    async fn ensure_snapshot(&self, project_id: ProjectId, name: &str) -> Result<()> {
        self.call("ensure_snapshot", Some(project_id), |state| {
            let database = state.database(project_id)?;
            let contents = database.contents.clone();
            database.snapshots.entry(name.to_owned()).or_insert(contents);
            Ok(())
        })
        .await
    }

    async fn prepare_reset(&self, project_id: ProjectId, name: &str) -> Result<()> {
        self.call("prepare_reset", Some(project_id), |state| {
            let database = state.database(project_id)?;
            if database.old.is_some() {
                return Ok(());
            }
            let missing = || Error::Missing(format!("snapshot {name} of project {project_id}"));
            database.prepared = Some(database.snapshots.get(name).ok_or_else(missing)?.clone());
            Ok(())
        })
        .await
    }

    async fn swap_reset(&self, project_id: ProjectId) -> Result<()> {
        self.call("swap_reset", Some(project_id), |state| {
            let database = state.database(project_id)?;
            if database.old.is_some() {
                return Ok(());
            }
            let missing = || Error::Missing(format!("a prepared reset of project {project_id}"));
            let prepared = database.prepared.take().ok_or_else(missing)?;
            database.old = Some(std::mem::replace(&mut database.contents, prepared));
            state.halt(project_id);
            Ok(())
        })
        .await
    }

    async fn cancel_reset(&self, project_id: ProjectId) -> Result<()> {
        self.call("cancel_reset", Some(project_id), |state| {
            let Some(database) = state.databases.get_mut(&project_id) else { return Ok(()) };
            database.prepared = None;
            if let Some(old) = database.old.take() {
                database.contents = old;
                state.halt(project_id);
            }
            Ok(())
        })
        .await
    }

    async fn finish_reset(&self, project_id: ProjectId) -> Result<()> {
        self.call("finish_reset", Some(project_id), |state| {
            if let Some(database) = state.databases.get_mut(&project_id) {
                database.old = None;
            }
            Ok(())
        })
        .await
    }
}
