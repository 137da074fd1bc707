//! How a project's developers reach its Postgres through the gateway.

/// The one role that developers sign in as: what an administrator's SQL runs as, and no superuser.
pub const DEVELOPER_ROLE: &str = "project_admin";

/// Path, below the platform prefix, of the `POST` that tells a data plane that a developer came to its Postgres: what is done there passes by
/// it, so it looks itself how large the database grows.
pub const DEVELOPER_CAME: &str = "/developers";

/// The one database of a project.
pub const DATABASE: &str = "insforge";
