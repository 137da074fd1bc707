//! Durable operations: one saga per file, the activities they are made of, and the engine that carries them out.

pub mod activities;
mod branch_create;
mod branch_delete;
mod branch_merge;
mod branch_merge_undo;
mod branch_reset;
mod branch_update;
pub mod engine;
pub mod idle_pause;
pub mod orphan_sweep;
mod pace;
mod project_create;
mod project_delete;
mod project_pause;
mod project_restart;
mod project_restore;
pub mod quota_enforce;
pub mod reconciler;
pub mod reseal;
pub mod undo_expire;
pub mod webhook_delivery;
mod world;

use std::sync::Arc;

use engine::{Definition, define};
use reconciler::Reconciler;

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

/// Pace of what runs beside the operations.
#[derive(Clone, Debug, Default)]
pub struct Paces {
    /// The sweep of orphans.
    pub sweep: orphan_sweep::Settings,
    /// Delivery of events.
    pub deliveries: webhook_delivery::Settings,
    /// Quotas.
    pub quotas: quota_enforce::Settings,
    /// Pausing of idle projects.
    pub idle: idle_pause::Settings,
}

/// Carries out operations, sweeps orphans, removes what undone or old merges keep, delivers events, enforces quotas and pauses idle projects,
/// until told to stop.
#[derive(Debug)]
pub struct Worker {
    operations: WorkerHandle,
    reconcilers: Vec<Reconciler>,
}

impl Worker {
    /// Starts a worker with every saga. Any number of them may run, in any number of processes.
    #[must_use]
    pub fn start(world: World, settings: Settings, paces: Paces) -> Self {
        let world = Arc::new(world);
        Self {
            operations: engine::embedded::Worker::start(world.pool.clone(), world.clone(), registry(), settings),
            reconcilers: vec![
                undo_expire::start(Arc::clone(&world), paces.sweep.every),
                webhook_delivery::start(Arc::clone(&world), paces.deliveries),
                quota_enforce::start(Arc::clone(&world), paces.quotas),
                idle_pause::start(Arc::clone(&world), paces.idle),
                reseal::start(Arc::clone(&world)),
                orphan_sweep::start(world, paces.sweep),
            ],
        }
    }

    /// Takes nothing new, lets what is under way end or hands it back, and returns when all is at rest.
    pub async fn shutdown(self) {
        for reconciler in self.reconcilers {
            reconciler.shutdown().await;
        }
        self.operations.shutdown().await;
    }
}
