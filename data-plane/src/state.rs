//! What every handler can reach: configuration, connections, clock, keys and the process's own counters.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use clock::SharedClock;
use identity_providers::KeySets;
use outbound::{Outbound, Settings};

use crate::{
    activity::Activity,
    auth::passwords::Passwords,
    authentication::{AccessKeys, SigningKeys},
    config::Config,
    encryption::Cipher,
    events::Events,
    http::limits::Limits,
    metering::ActiveUsers,
    pools::Pools,
    schema_changes::SchemaChanges,
};

/// The state of one process; handlers take `State<Arc<App>>`.
pub struct App {
    /// The environment.
    pub config: Config,
    /// Connections.
    pub pools: Pools,
    /// Time.
    pub clock: SharedClock,
    /// Encrypts stored secrets.
    pub cipher: Cipher,
    /// Signs and verifies tokens.
    pub signing_keys: SigningKeys,
    /// API and anon keys.
    pub access_keys: AccessKeys,
    /// Hashes passwords, a bounded number at once.
    pub passwords: Passwords,
    /// Grows when the schema changes.
    pub schema_changes: SchemaChanges,
    /// What the database area keeps between requests.
    pub database: crate::database::Database,
    /// Requests and calls.
    pub activity: Activity,
    /// The log that administrators read.
    pub logs: crate::logs::Logs,
    /// Counts of large tables.
    pub(crate) row_counts: crate::metadata::RowCounts,
    /// Events for dashboards.
    pub events: Events,
    /// Outgoing requests to the platform.
    pub http: reqwest::Client,
    /// Outgoing requests to addresses that tenants chose.
    pub outbound: Outbound,
    /// Key sets that others publish.
    pub key_sets: KeySets,
    /// Users who are known to be counted for this month.
    pub active_users: ActiveUsers,
    /// Rate limits.
    pub limits: Limits,
    /// When the process began.
    pub started_at: DateTime<Utc>,
}

impl App {
    /// The state for `config`; connects to nothing yet.
    ///
    /// # Errors
    /// A pool or the HTTP client refuses its settings, which is a fault of ours.
    pub fn new(config: Config, clock: SharedClock) -> Result<Arc<Self>, Box<dyn std::error::Error + Send + Sync>> {
        let started_at = clock.now();
        Ok(Arc::new(Self {
            pools: Pools::new(&config)?,
            cipher: Cipher::new(config.encryption_secret()),
            signing_keys: SigningKeys::new(&config.jwt_secret),
            access_keys: AccessKeys::default(),
            passwords: Passwords::default(),
            schema_changes: SchemaChanges::default(),
            database: crate::database::Database::default(),
            activity: Activity::default(),
            logs: crate::logs::Logs::default(),
            row_counts: crate::metadata::RowCounts::default(),
            events: Events::default(),
            http: reqwest::Client::builder().no_proxy().pool_max_idle_per_host(1).build()?,
            outbound: outbound(&config)?,
            key_sets: KeySets::default(),
            active_users: ActiveUsers::default(),
            limits: Limits::default(),
            clock,
            started_at,
            config,
        }))
    }

    /// The version that clients gate their features on: the compatible backend version, not this crate's.
    #[must_use]
    pub const fn version(&self) -> &'static str {
        COMPATIBLE_VERSION
    }
}

fn outbound(config: &Config) -> Result<Outbound, Box<dyn std::error::Error + Send + Sync>> {
    let extra_roots_pem = config.outgoing.outbound_ca_file.as_ref().map(std::fs::read).transpose()?;
    Ok(Outbound::new(Settings { allowed: config.outgoing.outbound_allow.clone(), extra_roots_pem })?)
}

pub use data_plane_contract::COMPATIBLE_VERSION;
