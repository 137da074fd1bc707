//! The local provider: runs projects on this machine, each as a Postgres cluster and a data-plane process of its own, under `$HEARTH_HOME`.
//!
//! State is on disk and changed only under a project's lock, so several processes may share a home and any of them may be killed.
//! What runs outlives the process that started it and is adopted by the next.

mod allocation;
mod binary;
mod clone;
mod config;
mod copy;
mod data_planes;
mod databases;
mod developers;
mod environment;
mod failure;
mod layout;
mod limits;
mod local_node;
mod lock;
mod mounts;
mod node;
mod opening;
mod owner;
mod pool;
pub mod postgres;
mod process;
mod record;
mod resets;
mod runs;
mod supervision;
mod template;
mod waking;

pub use config::{DEFAULT_PORTS, DEFAULT_UIDS, LocalConfig};
pub use local_node::LocalNode;
pub use owner::{Owner, operator_is_root};
pub use pool::PoolChoice;
