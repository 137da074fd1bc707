//! What every handler may use. Cheap to clone.

use std::sync::Arc;

use clock::SharedClock;
use model::{limits, sealing::MasterKey};
use outbound::Outbound;
use saga::Engine;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use crate::{
    app::{
        Failure, operations::hub::Hub, partners::guesses::Guesses, shared_sign_ins::SharedProviders, throttle::Throttle,
    },
    config::Config,
    passwords::Passwords,
    signing::{Signer, SigningError},
};

/// What the control plane stands on, given by whoever runs it.
#[derive(Clone)]
pub struct Seams {
    /// The control database, already migrated.
    pub pool: PgPool,
    /// What carries out operations.
    pub engine: Arc<dyn Engine>,
    /// The time.
    pub clock: SharedClock,
    /// Seals secrets.
    pub master_key: MasterKey,
    /// Says which addresses tenants may have us call.
    pub outbound: Arc<Outbound>,
}

/// Why the control plane could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The keys that sign tokens could not be read or made.
    #[error("could not prepare the keys that sign tokens")]
    Signing(#[from] SigningError),
}

/// The control plane, ready to answer.
#[derive(Clone)]
pub struct State {
    pub(crate) config: Arc<Config>,
    pub(crate) pool: PgPool,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) clock: SharedClock,
    pub(crate) master_key: MasterKey,
    pub(crate) outbound: Arc<Outbound>,
    pub(crate) signer: Arc<Signer>,
    pub(crate) passwords: Passwords,
    pub(crate) login_throttle: Throttle,
    pub(crate) partner_guesses: Guesses,
    pub(crate) hub: Arc<Hub>,
    pub(crate) shared_providers: Arc<SharedProviders>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Prepares the control plane: reads or makes its signing keys and listens for changes of operations.
///
/// # Errors
/// When the control database cannot be used, or a key cannot be opened with this master key.
pub async fn state(config: Config, seams: Seams) -> Result<State, StartError> {
    let Seams { pool, engine, clock, master_key, outbound } = seams;
    let signer = Signer::load_or_create(&pool, &master_key, clock.now()).await?;
    let hub = Arc::new(Hub::start(pool.clone()));
    let shared_providers = Arc::new(SharedProviders::new(&config.shared_clients));
    Ok(State {
        config: Arc::new(config),
        pool,
        engine,
        clock,
        master_key,
        outbound,
        signer: Arc::new(signer),
        passwords: Passwords::new(),
        login_throttle: Throttle::new(limits::LOGIN_ATTEMPTS),
        partner_guesses: Guesses::default(),
        hub,
        shared_providers,
    })
}

impl State {
    /// A connection for reading.
    pub(crate) async fn connection(&self) -> Result<impl std::ops::DerefMut<Target = PgConnection> + use<>, Failure> {
        Ok(self.pool.acquire().await?)
    }

    /// A transaction that reads one moment: what two statements say fits together.
    pub(crate) async fn snapshot(&self) -> Result<Transaction<'static, Postgres>, Failure> {
        Ok(self.pool.begin_with("begin isolation level repeatable read, read only").await?)
    }

    /// A transaction.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Postgres>, Failure> {
        Ok(self.pool.begin().await?)
    }
}
