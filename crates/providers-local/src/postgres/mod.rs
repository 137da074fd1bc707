//! Postgres as a program: finding distributions, and running one cluster. Knows no projects.

mod cluster;
mod control;
mod distribution;
mod scratch;
mod settings;

pub use cluster::Cluster;
pub use control::{ControlDatabase, ControlSettings};
pub use distribution::{Distribution, find_distributions};
pub use scratch::ScratchServer;
pub use settings::{
    RESERVED_CONNECTIONS, Settings, control_settings, project_settings, scratch_settings, throw_away_settings,
};

/// The bootstrap superuser of a project's cluster; only the provider and internal migrations use it.
pub const SUPERUSER: &str = "hearth_superuser";

/// The role that owns a project's database and its internal schemas.
pub const OWNER_ROLE: &str = "postgres";

/// A project's database.
pub const DATABASE: &str = "insforge";

/// The role that a project's developers sign in as, by password; `data-plane-contract` names it.
pub const DEVELOPER_ROLE: &str = "project_admin";

/// The session user of tenants' SQL that comes through the data plane.
pub const TENANT_USER: &str = "authenticator";

/// Every cluster has a socket folder of its own, so all use the same number.
pub const PORT: u16 = 5432;
