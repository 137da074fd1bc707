//! How many clients that have proved nothing may be here, in all and of one address.
//!
//! One that signs in takes a place in the project's Postgres, so there are few of those; one address has half of them at most, so that whoever
//! dawdles there on purpose keeps no others out.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use ids::ProjectId;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::projects::Project;

/// Clients that have not signed in yet, in all.
const MAX_STRANGERS: usize = 2048;
const MAX_STRANGERS_PER_ADDRESS: usize = 256;
/// Clients of one address that sign in to one project.
const MAX_SIGNING_IN_PER_ADDRESS: usize = 2;
/// Keys remembered before those that nobody uses are forgotten.
const MANY: usize = 1024;

/// Places for each of many.
struct Places<K> {
    each: usize,
    taken: Mutex<HashMap<K, Arc<Semaphore>>>,
}

impl<K: Eq + Hash> Places<K> {
    fn new(each: usize) -> Self {
        Self { each, taken: Mutex::default() }
    }

    fn of(&self, key: K) -> Arc<Semaphore> {
        let mut taken = self.taken.lock().expect("no holder of this lock panics");
        if taken.len() >= MANY {
            // Whoever has a place or waits for one holds one more reference.
            taken.retain(|_, places| Arc::strong_count(places) > 1);
        }
        Arc::clone(taken.entry(key).or_insert_with(|| Arc::new(Semaphore::new(self.each))))
    }
}

/// Who is here without having signed in.
pub(super) struct Turns {
    all: Arc<Semaphore>,
    addresses: Places<IpAddr>,
    signing_in: Places<(ProjectId, IpAddr)>,
}

/// A client that has not signed in yet.
pub(super) struct Stranger {
    address: IpAddr,
    _among_all: OwnedSemaphorePermit,
    _of_address: OwnedSemaphorePermit,
}

/// The right to sign in now.
pub(super) struct Turn {
    _of_address: OwnedSemaphorePermit,
    _of_project: OwnedSemaphorePermit,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(MAX_STRANGERS)),
            addresses: Places::new(MAX_STRANGERS_PER_ADDRESS),
            signing_in: Places::new(MAX_SIGNING_IN_PER_ADDRESS),
        }
    }
}

impl Turns {
    /// Lets a client in to say what it wants, or nobody where there are too many.
    pub(super) fn admit(&self, address: IpAddr) -> Option<Stranger> {
        let of_address = self.addresses.of(address).try_acquire_owned().ok()?;
        let among_all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        Some(Stranger { address, _among_all: among_all, _of_address: of_address })
    }

    /// Waits for a turn to sign in.
    pub(super) async fn take(&self, project: &Project, stranger: &Stranger) -> Result<Turn, AcquireError> {
        let of_address = self.signing_in.of((project.id, stranger.address)).acquire_owned().await?;
        let of_project = Arc::clone(&project.signing_in).acquire_owned().await?;
        Ok(Turn { _of_address: of_address, _of_project: of_project })
    }
}
