//! How a project's developers reach its Postgres through the gateway.

/// The one role that developers sign in as: what an administrator's SQL runs as, and no superuser.
pub const DEVELOPER_ROLE: &str = "project_admin";

/// The one database of a project.
pub const DATABASE: &str = "insforge";
