//! Data planes of the fake.

use std::path::Path;

use async_trait::async_trait;
use ids::ProjectId;
use secrecy::ExposeSecret as _;

use super::{Fake, FakeDataPlane};
use crate::{Compute, ComputeReader, DataPlaneDescription, DataPlaneSpec, Error, Result};

fn describe(project_id: ProjectId, plane: &FakeDataPlane) -> DataPlaneDescription {
    DataPlaneDescription { project_id, address: plane.address, running: plane.running }
}

fn same(plane: &FakeDataPlane, spec: &DataPlaneSpec) -> bool {
    let exposed = |pairs: &[(String, secrecy::SecretString)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect()
    };
    plane.size == spec.size && exposed(&plane.environment) == exposed(&spec.environment)
}

#[async_trait]
impl ComputeReader for Fake {
    async fn describe_data_plane(&self, project_id: ProjectId) -> Result<Option<DataPlaneDescription>> {
        self.call("describe_data_plane", Some(project_id), |state| {
            Ok(state.data_planes.get(&project_id).map(|plane| describe(project_id, plane)))
        })
        .await
    }

    async fn copy_usage(&self, project_id: ProjectId, into: &Path) -> Result<()> {
        let files = self
            .call("copy_usage", Some(project_id), |state| Ok(state.usage.get(&project_id).cloned().unwrap_or_default()))
            .await?;
        for (name, content) in files {
            std::fs::write(into.join(name), content).map_err(|cause| Error::transient("copying usage", cause))?;
        }
        Ok(())
    }

    async fn list_data_planes(&self) -> Result<Vec<ProjectId>> {
        self.call("list_data_planes", None, |state| Ok(state.data_planes.keys().copied().collect())).await
    }
}

#[async_trait]
impl Compute for Fake {
    async fn ensure_data_plane(&self, spec: &DataPlaneSpec) -> Result<DataPlaneDescription> {
        self.call("ensure_data_plane", Some(spec.project_id), |state| {
            let missing = || Error::Missing(format!("the database of project {}", spec.project_id));
            state.databases.get_mut(&spec.project_id).ok_or_else(missing)?.running = true;
            let before = state.data_planes.remove(&spec.project_id);
            let kept = before.as_ref().is_some_and(|plane| plane.running && same(plane, spec));
            let starts = before.as_ref().map_or(0, |plane| plane.starts) + u32::from(!kept);
            let address = before.map_or_else(|| state.address_for_new(), |plane| plane.address);
            let plane = FakeDataPlane {
                address,
                running: true,
                starts,
                size: spec.size,
                environment: spec.environment.clone(),
            };
            let described = describe(spec.project_id, &plane);
            state.data_planes.insert(spec.project_id, plane);
            Ok(described)
        })
        .await
    }

    async fn stop_data_plane(&self, project_id: ProjectId) -> Result<()> {
        self.call("stop_data_plane", Some(project_id), |state| {
            if let Some(plane) = state.data_planes.get_mut(&project_id) {
                plane.running = false;
            }
            Ok(())
        })
        .await
    }

    async fn drop_data_plane(&self, project_id: ProjectId) -> Result<()> {
        self.call("drop_data_plane", Some(project_id), |state| {
            state.data_planes.remove(&project_id);
            Ok(())
        })
        .await
    }
}
