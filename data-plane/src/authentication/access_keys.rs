//! The project's API and anon keys: kept decrypted in memory for a minute, forgotten when this process changes them.

use std::{
    sync::{
        Arc, RwLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

use crate::{
    http::{Error, Result},
    state::App,
};

const KEPT_FOR: Duration = Duration::from_secs(60);
const LAST_USED_EVERY_MILLIS: i64 = 60_000;

/// Which of the two keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Administrates.
    Api,
    /// Calls as nobody in particular.
    Anon,
}

impl KeyKind {
    /// Name of the row with the current key; superseded ones add `_OLD_` and a time.
    #[must_use]
    pub const fn secret_name(self) -> &'static str {
        match self {
            Self::Api => "API_KEY",
            Self::Anon => "ANON_KEY",
        }
    }

    /// What keys of this kind begin with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Api => "ik_",
            Self::Anon => "anon_",
        }
    }
}

/// The keys in memory.
#[derive(Default)]
pub struct AccessKeys {
    loaded: RwLock<Option<Arc<Loaded>>>,
    api_key_noted_millis: AtomicI64,
}

struct Loaded {
    keys: Vec<Key>,
    at: Instant,
}

struct Key {
    kind: KeyKind,
    value: SecretString,
    expires_at: Option<DateTime<Utc>>,
}

impl AccessKeys {
    /// Forgets all keys; the next check reads them again.
    pub fn forget(&self) {
        *self.loaded.write().expect("no holder of this lock panics") = None;
    }

    /// Whether `presented` is a valid key of this kind, the current one or a superseded one in its grace period.
    ///
    /// # Errors
    /// Postgres cannot be asked.
    pub async fn accept(&self, app: &App, kind: KeyKind, presented: &str) -> Result<bool> {
        let loaded = self.loaded(app).await?;
        let now = app.clock.now();
        let mut accepted = false;
        for key in loaded.keys.iter().filter(|key| key.kind == kind) {
            let equal: bool = key.value.expose_secret().as_bytes().ct_eq(presented.as_bytes()).into();
            accepted |= equal && key.expires_at.is_none_or(|expiry| expiry > now);
        }
        if accepted && kind == KeyKind::Api {
            self.note_use(app, now).await;
        }
        Ok(accepted)
    }

    async fn loaded(&self, app: &App) -> Result<Arc<Loaded>> {
        let kept = self.loaded.read().expect("no holder of this lock panics").clone();
        match kept {
            Some(kept) if kept.at.elapsed() < KEPT_FOR => Ok(kept),
            // While Postgres is away nobody can have changed a key either.
            Some(kept) => Ok(self.load(app).await.unwrap_or(kept)),
            None => self.load(app).await,
        }
    }

    async fn load(&self, app: &App) -> Result<Arc<Loaded>> {
        let client = app.pools.internal().await?;
        let rows = client
            .query(
                "select key, value_ciphertext, expires_at from system.secrets
                 where is_active and (key in ('API_KEY', 'ANON_KEY')
                    or ((key like 'API\\_KEY\\_OLD\\_%' or key like 'ANON\\_KEY\\_OLD\\_%') and expires_at > now()))",
                &[],
            )
            .await?;
        let mut keys = Vec::with_capacity(rows.len());
        for row in rows {
            let name: String = row.get(0);
            let kind = if name.starts_with("API_KEY") { KeyKind::Api } else { KeyKind::Anon };
            match app.cipher.decrypt(row.get(1)) {
                Ok(value) => keys.push(Key { kind, value: SecretString::from(value), expires_at: row.get(2) }),
                Err(error) => tracing::error!(secret.key = name, %error, "a stored access key is unusable"),
            }
        }
        let loaded = Arc::new(Loaded { keys, at: Instant::now() });
        *self.loaded.write().expect("no holder of this lock panics") = Some(Arc::clone(&loaded));
        Ok(loaded)
    }

    /// Writes `last_used_at` at most once a minute, so that a check costs no write.
    async fn note_use(&self, app: &App, now: DateTime<Utc>) {
        let now_millis = now.timestamp_millis();
        let noted = self.api_key_noted_millis.load(Ordering::Relaxed);
        if now_millis - noted < LAST_USED_EVERY_MILLIS {
            return;
        }
        self.api_key_noted_millis.store(now_millis, Ordering::Relaxed);
        let written = async {
            let client = app.pools.internal().await?;
            client.execute("update system.secrets set last_used_at = $1 where key = 'API_KEY'", &[&now]).await?;
            Ok::<(), Error>(())
        };
        if let Err(error) = written.await {
            tracing::warn!(cause = error.message(), "the last use of the API key was not noted");
        }
    }
}
