//! What the cloud and a data plane say to each other, and what the cloud tells the gateway.
//!
//! Down: requests under [`PLATFORM_PREFIX`] on the data plane, authenticated by the project's platform token.
//! Up: heartbeats and usage records to the control plane, authenticated by the same token. Sideways: routes, pushed to the gateway.

pub mod heartbeat;
pub mod identity;
pub mod postgres;
pub mod routes;
pub mod runs;
pub mod schema;
pub mod usage;

/// Path prefix of the platform-internal routes of a data plane. The gateway never forwards it.
pub const PLATFORM_PREFIX: &str = "/_hearth/v1";

/// Environment variable with the project's platform token.
pub const PLATFORM_TOKEN_VARIABLE: &str = "HEARTH_PLATFORM_TOKEN";

/// Environment variable with the base URL that heartbeats and usage records go to; absent means none are sent.
pub const CONTROL_PLANE_URL_VARIABLE: &str = "HEARTH_CONTROL_PLANE_URL";

/// Environment variable with the name of the instance type, for which compute is counted.
pub const INSTANCE_TYPE_VARIABLE: &str = "HEARTH_INSTANCE_TYPE";

/// Environment variable that is `1` on a branch: schedules exist there but fire only when enabled there.
pub const BRANCH_VARIABLE: &str = "HEARTH_BRANCH";

/// Environment variable with the providers, comma-separated, whose clients the cloud shares with a project.
pub const SHARED_CLIENTS_VARIABLE: &str = "HEARTH_SHARED_CLIENTS";

/// Environment variable that is `1` where the cloud signs what it passes on of a shared sign-in, so that nothing unsigned is believed.
pub const SHARED_SIGN_INS_SIGNED_VARIABLE: &str = "HEARTH_SHARED_OAUTH_SIGNED";

/// The version of the InsForge backend whose wire a data plane of this build speaks; clients switch features on by it.
pub const COMPATIBLE_VERSION: &str = "2.3.1";
