//! Connections to the project's Postgres: one pool for internal work, one for tenants' SQL, and single superuser connections for migrations.
//!
//! Idle connections are closed by [`Pools::close_idle`], so that a project nobody uses costs no backend process.

use std::{sync::Arc, time::Duration};

use deadpool_postgres::{Hook, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use tokio::sync::Notify;
use tokio_postgres::NoTls;

use crate::{config::Config, database::wire};

/// Session user of all tenants' SQL.
pub const TENANT_USER: &str = "authenticator";

/// Settings every tenant session begins with. A tenant's SQL can give [`TENANT_USER`] others with `alter role`, as any role may do to
/// itself; what a connection asks for at its start comes before those.
const TENANT_SETTINGS: &str = "-c role=none -c search_path=\"$user\",public -c standard_conforming_strings=on -c row_security=on \
    -c default_transaction_read_only=off -c default_transaction_deferrable=off -c default_transaction_isolation=read\\ committed \
    -c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0 \
    -c datestyle=ISO -c intervalstyle=postgres -c bytea_output=hex -c extra_float_digits=1 -c timezone=UTC";

/// Internal work finds no function or operator of a tenant's, however well its arguments match: names outside `pg_catalog` are written out.
const INTERNAL_SETTINGS: &str = "-c search_path=pg_catalog,pg_temp";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const WAIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Both pools and what is needed to connect outside them.
pub struct Pools {
    /// For internal work, as `POSTGRES_USER`.
    pub internal: Pool,
    /// For tenants' SQL, as [`TENANT_USER`]; use it through [`crate::transaction`].
    pub tenant: Pool,
    /// For the data API, as [`TENANT_USER`].
    pub(crate) records: wire::Pool,
    superuser: tokio_postgres::Config,
    listener: tokio_postgres::Config,
    connected: Arc<Notify>,
}

impl Pools {
    /// Pools that connect when first used.
    ///
    /// # Errors
    /// The pool refuses its own settings, which is a fault of ours.
    pub fn new(config: &Config) -> Result<Self, deadpool_postgres::BuildError> {
        let mut internal = connection(config, &config.postgres_user, Some(&config.postgres_password));
        internal.options(INTERNAL_SETTINGS);
        let tenant_password = tenant_password(&config.jwt_secret);
        let mut tenant = connection(config, TENANT_USER, Some(&tenant_password));
        tenant.options(TENANT_SETTINGS);
        let superuser_name = config.superuser.as_deref().unwrap_or(&config.postgres_user);
        let connected = Arc::new(Notify::new());
        let tell = Arc::clone(&connected);
        Ok(Self {
            records: wire::Pool::new(tenant.clone(), config.tenant_connections, WAIT_TIMEOUT, move || {
                tell.notify_one()
            }),
            internal: pool(internal.clone(), config.internal_connections, &connected)?,
            tenant: pool(tenant, config.tenant_connections, &connected)?,
            superuser: connection(config, superuser_name, Some(&config.postgres_password)),
            listener: internal,
            connected,
        })
    }

    /// A connection for internal work.
    ///
    /// # Errors
    /// Postgres cannot be reached, or all connections stay busy.
    pub async fn internal(&self) -> Result<Object, PoolError> {
        self.internal.get().await
    }

    /// One superuser connection, for migrations only. The task that drives it ends with the client.
    ///
    /// # Errors
    /// Postgres cannot be reached.
    pub async fn superuser(&self) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        let (client, connection) = self.superuser.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// How programs of Postgres connect as the superuser.
    #[must_use]
    pub fn superuser_environment(&self) -> Vec<(&'static str, String)> {
        let host = match self.superuser.get_hosts().first() {
            Some(tokio_postgres::config::Host::Tcp(name)) => name.clone(),
            Some(tokio_postgres::config::Host::Unix(folder)) => folder.display().to_string(),
            None => String::new(),
        };
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let password = self.superuser.get_password().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        vec![
            ("PGHOST", host),
            ("PGPORT", self.superuser.get_ports().first().copied().unwrap_or(5432).to_string()),
            ("PGUSER", text(self.superuser.get_user())),
            ("PGPASSWORD", password.unwrap_or_default()),
            ("PGDATABASE", text(self.superuser.get_dbname())),
        ]
    }

    /// One connection of the internal user whose notifications the caller reads itself.
    ///
    /// # Errors
    /// Postgres cannot be reached.
    pub async fn listener(
        &self,
    ) -> Result<
        (tokio_postgres::Client, tokio_postgres::Connection<tokio_postgres::Socket, tokio_postgres::tls::NoTlsStream>),
        tokio_postgres::Error,
    > {
        self.listener.connect(NoTls).await
    }

    /// Returns once a pool made a connection; at once when one did since the last call.
    pub async fn used(&self) {
        self.connected.notified().await;
    }

    /// Closes connections unused for `idle`; true when none is left.
    pub fn close_idle(&self, idle: Duration) -> bool {
        let mut left = 0;
        for pool in [&self.internal, &self.tenant] {
            pool.retain(|_, metrics| metrics.last_used() < idle);
            left += pool.status().size;
        }
        left += self.records.close_idle(idle);
        left == 0
    }

    /// Closes everything; later calls fail.
    pub fn close(&self) {
        self.internal.close();
        self.tenant.close();
        self.records.close();
    }
}

/// Password of the tenants' session user, where Postgres asks for one: derived, so that it needs no storage.
#[must_use]
pub fn tenant_password(jwt_secret: &SecretString) -> SecretString {
    let mut mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(jwt_secret.expose_secret().as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(b"hearth:authenticator:v1");
    SecretString::from(hex::encode(mac.finalize().into_bytes()))
}

fn connection(config: &Config, user: &str, password: Option<&SecretString>) -> tokio_postgres::Config {
    let mut settings = tokio_postgres::Config::new();
    settings
        .host(&config.postgres_host)
        .port(config.postgres_port)
        .dbname(&config.postgres_db)
        .user(user)
        .application_name("hearth-data-plane")
        .connect_timeout(CONNECT_TIMEOUT);
    if let Some(password) = password {
        settings.password(password.expose_secret());
    }
    settings
}

fn pool(
    settings: tokio_postgres::Config,
    size: usize,
    connected: &Arc<Notify>,
) -> Result<Pool, deadpool_postgres::BuildError> {
    let connected = Arc::clone(connected);
    let tell = Hook::sync_fn(move |_, _| {
        connected.notify_one();
        Ok(())
    });
    let manager = Manager::from_config(settings, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
    Pool::builder(manager)
        .max_size(size.max(1))
        .post_create(tell)
        .wait_timeout(Some(WAIT_TIMEOUT))
        .create_timeout(Some(CONNECT_TIMEOUT))
        .runtime(Runtime::Tokio1)
        .build()
}
