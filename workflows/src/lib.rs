//! Durable operations: one saga per file, the activities they are made of, and the engine that carries them out.

pub mod activities;
mod branch_create;
mod branch_delete;
mod branch_merge;
mod branch_merge_undo;
mod branch_reset;
mod branch_update;
pub mod engine;
pub mod orphan_sweep;
mod pace;
mod project_create;
mod project_delete;
mod project_pause;
mod project_restart;
mod project_restore;
pub mod undo_expire;
mod world;

use std::sync::Arc;

use engine::{Definition, define};

pub use branch_create::BranchCreate;
pub use branch_delete::BranchDelete;
pub use branch_merge::BranchMerge;
pub use branch_merge_undo::BranchMergeUndo;
pub use branch_reset::BranchReset;
pub use branch_update::BranchUpdate;
pub use engine::embedded::{EmbeddedEngine, Settings, WorkerHandle};
pub use project_create::ProjectCreate;
pub use project_delete::ProjectDelete;
pub use project_pause::ProjectPause;
pub use project_restart::ProjectRestart;
pub use project_restore::ProjectRestore;
pub use world::{GatewayAddresses, World, http_client};

/// Every saga. What is in this list is carried out, and covered by the generic tests.
#[must_use]
pub fn registry() -> Vec<Arc<dyn Definition<World>>> {
    vec![
        define::<ProjectCreate>(),
        define::<ProjectDelete>(),
        define::<ProjectPause>(),
        define::<ProjectRestore>(),
        define::<ProjectRestart>(),
        define::<BranchCreate>(),
        define::<BranchDelete>(),
        define::<BranchReset>(),
        define::<BranchMerge>(),
        define::<BranchUpdate>(),
        define::<BranchMergeUndo>(),
    ]
}

/// Carries out operations, sweeps orphans and removes what undone or old merges keep, until told to stop.
#[derive(Debug)]
pub struct Worker {
    operations: WorkerHandle,
    sweep: orphan_sweep::SweepHandle,
    expiry: undo_expire::ExpiryHandle,
}

impl Worker {
    /// Starts a worker with every saga. Any number of them may run, in any number of processes.
    #[must_use]
    pub fn start(world: World, settings: Settings, sweep: orphan_sweep::Settings) -> Self {
        let world = Arc::new(world);
        Self {
            operations: engine::embedded::Worker::start(world.pool.clone(), world.clone(), registry(), settings),
            expiry: undo_expire::start(Arc::clone(&world), sweep.every),
            sweep: orphan_sweep::start(world, sweep),
        }
    }

    /// Takes nothing new, lets what is under way end or hands it back, and returns when all is at rest.
    pub async fn shutdown(self) {
        self.expiry.shutdown().await;
        self.sweep.shutdown().await;
        self.operations.shutdown().await;
    }
}
