//! The process environment, read once. Nothing else in this crate reads an environment variable.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use clap::Args;
use identity_providers::Provider;
use ids::ProjectId;
use secrecy::{ExposeSecret as _, SecretString};

mod advisor;
mod outgoing;
mod size;
mod trust;

pub use advisor::Advisor;
pub use outgoing::{Outgoing, ProviderSeeds};
pub use trust::TrustedProxies;

/// Longest accepted administrator password.
const ADMIN_PASSWORD_MAX: usize = 4096;

/// What the process was told at start.
#[derive(Clone, Debug, Args)]
pub struct Config {
    /// TCP port; 0 lets the system choose.
    #[arg(long, env = "PORT", default_value_t = 7130)]
    pub port: u16,
    /// Address to listen on.
    #[arg(long, env = "HOST", default_value = "0.0.0.0")]
    pub host: IpAddr,
    /// Largest JSON body.
    #[arg(long, env = "MAX_JSON_BODY_SIZE", default_value = "100mb", value_parser = size::parse)]
    pub max_json_body_bytes: u64,
    /// Largest form body.
    #[arg(long, env = "MAX_URLENCODED_BODY_SIZE", default_value = "10mb", value_parser = size::parse)]
    pub max_form_body_bytes: u64,
    /// Largest upload where `storage.config` has no row.
    #[arg(long, env = "MAX_FILE_SIZE", default_value = "50mb", value_parser = size::parse)]
    pub max_file_bytes: u64,
    /// Trusted proxies in front, counted from the socket; decides the client address.
    #[arg(long, env = "TRUST_PROXY", default_value = "2")]
    pub trust_proxy: TrustedProxies,
    /// How long an idle connection is kept open, milliseconds.
    #[arg(long, env = "KEEP_ALIVE_TIMEOUT_MS", default_value_t = 65_000)]
    pub keep_alive_timeout_ms: u64,
    /// Folder of log files.
    #[arg(long, env = "LOGS_DIR", default_value = "./logs")]
    pub logs_dir: PathBuf,
    /// Log filter.
    #[arg(long, env = "LOG_LEVEL", default_value = "info")]
    pub log_level: String,

    /// Signs tokens, and encrypts when there is no encryption key.
    #[arg(long, env = "JWT_SECRET", default_value = "", hide_env_values = true, hide_default_value = true)]
    pub jwt_secret: SecretString,
    /// Encrypts stored secrets.
    #[arg(long, env = "ENCRYPTION_KEY", hide_env_values = true)]
    pub encryption_key: Option<SecretString>,
    /// Administrator's name.
    #[arg(long, env = "ROOT_ADMIN_USERNAME")]
    pub root_admin_username: Option<String>,
    /// Administrator's name, older spelling.
    #[arg(long, env = "ADMIN_EMAIL")]
    pub admin_email: Option<String>,
    /// Administrator's password.
    #[arg(long, env = "ROOT_ADMIN_PASSWORD", hide_env_values = true)]
    pub root_admin_password: Option<SecretString>,
    /// Administrator's password, older spelling.
    #[arg(long, env = "ADMIN_PASSWORD", hide_env_values = true)]
    pub admin_password: Option<SecretString>,
    /// Seed of the API key.
    #[arg(long, env = "ACCESS_API_KEY", hide_env_values = true)]
    pub access_api_key: Option<SecretString>,
    /// Seed of the anon key.
    #[arg(long, env = "ACCESS_ANON_KEY", hide_env_values = true)]
    pub access_anon_key: Option<SecretString>,

    /// Host name or socket folder of Postgres.
    #[arg(long, env = "POSTGRES_HOST", default_value = "localhost")]
    pub postgres_host: String,
    /// Port of Postgres.
    #[arg(long, env = "POSTGRES_PORT", default_value_t = 5432)]
    pub postgres_port: u16,
    /// Database.
    #[arg(long, env = "POSTGRES_DB", default_value = "insforge")]
    pub postgres_db: String,
    /// User of internal work; owns the internal schemas.
    #[arg(long, env = "POSTGRES_USER", default_value = "postgres")]
    pub postgres_user: String,
    /// Password of that user.
    #[arg(long, env = "POSTGRES_PASSWORD", default_value = "postgres", hide_env_values = true)]
    pub postgres_password: SecretString,
    /// Most connections for internal work.
    #[arg(long, env = "HEARTH_INTERNAL_CONNECTIONS", default_value_t = 4)]
    pub internal_connections: usize,
    /// Most connections for tenants' SQL.
    #[arg(long, env = "HEARTH_TENANT_CONNECTIONS", default_value_t = 10)]
    pub tenant_connections: usize,

    /// `1` lifts the limits on how often one client may change functions.
    #[arg(long, env = "INSFORGE_DISABLE_WRITE_RATE_LIMIT")]
    pub disable_write_rate_limit: Option<String>,

    /// Public base URL: links in mails, object URLs.
    #[arg(long, env = "API_BASE_URL", default_value = "http://localhost:7130")]
    pub api_base_url: String,
    /// Non-blank means: part of a cloud.
    #[arg(long, env = "AWS_INSTANCE_PROFILE_NAME")]
    pub aws_instance_profile_name: Option<String>,
    /// Where the cloud's API is.
    #[arg(long, env = "CLOUD_API_HOST", default_value = "https://api.insforge.dev")]
    pub cloud_api_host: String,
    /// The project this process serves.
    #[arg(long, env = "PROJECT_ID")]
    pub project_id: Option<String>,
    /// The project's DNS label.
    #[arg(long, env = "APP_KEY")]
    pub app_key: Option<String>,

    /// Folder of stored objects.
    #[arg(long, env = "STORAGE_DIR", default_value = "./storage")]
    pub storage_dir: PathBuf,
    /// Folder of small durable state that is never cloned.
    #[arg(long, env = "HEARTH_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
    /// Superuser for internal migrations; absent means the user of internal work is one.
    #[arg(long, env = "HEARTH_SUPERUSER")]
    pub superuser: Option<String>,
    /// Authenticates the platform.
    #[arg(long, env = data_plane_contract::PLATFORM_TOKEN_VARIABLE, hide_env_values = true)]
    pub platform_token: Option<SecretString>,
    /// Where usage records go.
    #[arg(long, env = data_plane_contract::CONTROL_PLANE_URL_VARIABLE)]
    pub control_plane_url: Option<String>,
    /// What this process may use, by name; usage says it.
    #[arg(long, env = data_plane_contract::INSTANCE_TYPE_VARIABLE)]
    pub instance_type: Option<String>,
    /// `1` on a branch.
    #[arg(long, env = data_plane_contract::BRANCH_VARIABLE)]
    pub branch: Option<String>,

    /// The database advisor.
    #[command(flatten)]
    pub advisor: Advisor,
    /// Calls that leave the process.
    #[command(flatten)]
    pub outgoing: Outgoing,
    /// Sign-in providers to begin with.
    #[command(flatten)]
    pub provider_seeds: ProviderSeeds,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(&'static str);

impl Config {
    /// Refuses what the process could not serve with.
    ///
    /// # Errors
    /// Names the variable and what is wrong with it.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.jwt_secret.expose_secret().is_empty() {
            return Err(Invalid("JWT_SECRET must not be empty"));
        }
        if self.admin_username().is_none() {
            return Err(Invalid("ROOT_ADMIN_USERNAME is required"));
        }
        let Some(password) = self.admin_password() else {
            return Err(Invalid("ROOT_ADMIN_PASSWORD is required"));
        };
        if password.expose_secret().len() > ADMIN_PASSWORD_MAX {
            return Err(Invalid("ROOT_ADMIN_PASSWORD must have at most 4096 characters"));
        }
        if self.platform_token.as_ref().is_some_and(|token| token.expose_secret().len() < 16) {
            return Err(Invalid("HEARTH_PLATFORM_TOKEN must have at least 16 characters"));
        }
        Ok(())
    }

    /// The administrator's name.
    #[must_use]
    pub fn admin_username(&self) -> Option<&str> {
        self.root_admin_username.as_deref().or(self.admin_email.as_deref()).filter(|name| !name.is_empty())
    }

    /// The administrator's password.
    #[must_use]
    pub fn admin_password(&self) -> Option<&SecretString> {
        self.root_admin_password
            .as_ref()
            .or(self.admin_password.as_ref())
            .filter(|password| !password.expose_secret().is_empty())
    }

    /// The text that the encryption key is derived from.
    #[must_use]
    pub fn encryption_secret(&self) -> &SecretString {
        self.encryption_key.as_ref().filter(|key| !key.expose_secret().is_empty()).unwrap_or(&self.jwt_secret)
    }

    /// The project id, where it is one of ours.
    #[must_use]
    pub fn project(&self) -> Option<ProjectId> {
        self.project_id.as_deref().and_then(|text| text.parse().ok())
    }

    /// Whether this project is a branch.
    #[must_use]
    pub fn serves_branch(&self) -> bool {
        self.branch.as_deref() == Some("1")
    }

    /// Whether the process is part of a cloud rather than on its own.
    #[must_use]
    pub fn part_of_cloud(&self) -> bool {
        self.aws_instance_profile_name.as_deref().is_some_and(|name| !name.trim().is_empty())
    }

    /// Whether sign-ins may use the platform's own client of a provider. A cloud of the original kind shares all; any other says which.
    #[must_use]
    pub fn shares_client_of(&self, provider: Provider) -> bool {
        self.part_of_cloud() || self.outgoing.shared_clients.contains(&provider)
    }

    /// Whether no platform runs the process: it then looks after its own backups.
    #[must_use]
    pub fn on_its_own(&self) -> bool {
        !self.part_of_cloud() && self.platform_token.is_none()
    }

    /// Whether one client may change functions as often as it likes.
    #[must_use]
    pub fn unlimited_writes(&self) -> bool {
        self.disable_write_rate_limit.as_deref() == Some("1")
    }

    /// How long a drained shutdown may take.
    #[must_use]
    pub const fn drain_time(&self) -> Duration {
        Duration::from_secs(5)
    }

    /// Whether Postgres is reached over a socket in a folder.
    #[must_use]
    pub fn postgres_over_socket(&self) -> bool {
        self.postgres_host.starts_with('/')
    }
}
