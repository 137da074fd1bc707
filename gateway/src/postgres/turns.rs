//! Whose turn it is to sign in. A client that has not takes a place in the project's Postgres without having proved anything, so there are few,
//! and one address has half of them at most: whoever dawdles there on purpose keeps no others out.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use ids::ProjectId;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::projects::Project;

/// Of one address, at one project.
const MAX_PER_ADDRESS: usize = 2;
/// Addresses remembered before those that wait for nothing are forgotten.
const MANY: usize = 1024;

/// Who signs in from where.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<(ProjectId, IpAddr), Arc<Semaphore>>>);

/// The right to sign in now.
pub(super) struct Turn {
    _of_address: OwnedSemaphorePermit,
    _of_project: OwnedSemaphorePermit,
}

impl Turns {
    /// Waits for a turn.
    pub(super) async fn take(&self, project: &Project, address: IpAddr) -> Result<Turn, AcquireError> {
        let of_address = self.of(project.id, address).acquire_owned().await?;
        let of_project = Arc::clone(&project.signing_in).acquire_owned().await?;
        Ok(Turn { _of_address: of_address, _of_project: of_project })
    }

    fn of(&self, project_id: ProjectId, address: IpAddr) -> Arc<Semaphore> {
        let mut all = self.0.lock().expect("no holder of this lock panics");
        if all.len() >= MANY {
            // Whoever signs in or waits for it holds one more reference.
            all.retain(|_, turns| Arc::strong_count(turns) > 1);
        }
        Arc::clone(all.entry((project_id, address)).or_insert_with(|| Arc::new(Semaphore::new(MAX_PER_ADDRESS))))
    }
}
