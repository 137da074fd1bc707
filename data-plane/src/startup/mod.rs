//! What must be so before the first request: the tenants' session user can sign in, the reserved secrets exist, and signing keys are loaded.
//!
//! One query when nothing is missing.

use std::{collections::HashMap, sync::Arc, time::Duration};

use rand::RngCore as _;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::error::SqlState;

use crate::{
    authentication::{KeyKind, signing_keys::StoredKey},
    config::Config,
    http::Error,
    pools::{Pools, TENANT_USER, tenant_password},
    state::App,
};

mod sign_in;

const PRIVATE_KEY: &str = "JWT_PRIVATE_KEY";
const PUBLIC_KEY: &str = "JWT_PUBLIC_KEY";
const KEY_ID: &str = "JWT_KEY_ID";

/// How long after start a missing RSA key is made: generating one costs CPU that the first requests need more.
const GENERATE_KEY_AFTER: Duration = Duration::from_secs(3);

/// Prepares the database's contents and the keys in memory.
///
/// # Errors
/// Postgres refuses.
pub async fn prepare(app: &Arc<App>) -> Result<(), Error> {
    let stored = seed(app).await?;
    if let (Some(private), Some(public), Some(id)) =
        (stored.get(PRIVATE_KEY), stored.get(PUBLIC_KEY), stored.get(KEY_ID))
    {
        load_key(app, private, public, id).await;
    }
    Ok(())
}

/// Makes the project's RSA key some time after start, unless it has one. Tokens are HS256 until then.
pub async fn make_signing_key(app: Arc<App>) {
    if app.signing_keys.own_key_loaded() {
        return;
    }
    tokio::time::sleep(GENERATE_KEY_AFTER).await;
    if let Err(error) = generate_key(&app).await {
        tracing::warn!(cause = error.message(), "no RSA key was made; tokens stay HS256 until the next start");
    }
}

/// Where Postgres asks for passwords, the tenants' session user gets the derived one. Needs a superuser only when it has another.
///
/// # Errors
/// Postgres refuses.
pub async fn let_tenants_in(pools: &Pools, config: &Config) -> Result<(), Error> {
    if config.postgres_over_socket() {
        return Ok(());
    }
    match pools.tenant.get().await {
        Ok(_) => Ok(()),
        Err(deadpool_postgres::PoolError::Backend(error))
            if [Some(&SqlState::INVALID_PASSWORD), Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)]
                .contains(&error.code()) =>
        {
            let password = tenant_password(&config.jwt_secret);
            let client = pools.superuser().await?;
            // The password is hex, so it needs no quoting.
            let statement = format!("alter role {TENANT_USER} login password '{}'", password.expose_secret());
            client.batch_execute(&statement).await?;
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Stores what is missing; returns the reserved secrets, decrypted.
async fn seed(app: &App) -> Result<HashMap<String, SecretString>, Error> {
    let mut stored = read_reserved(app).await?;
    // A branch has its parent's contents under new keys.
    let first_start = !stored.contains_key("API_KEY") && !app.config.serves_branch();
    // Before the keys, which mark a project that has served: a process that ends in between begins anew.
    sign_in::seed(app, first_start).await;
    if stored.get("ANON_KEY").is_some_and(|key| is_token(key.expose_secret())) {
        replace_anon_key(app, &mut stored).await?;
    }
    let mut missing = Vec::new();
    let mut want = |key: &str, value: SecretString| {
        if !stored.contains_key(key) {
            missing.push((key.to_owned(), app.cipher.encrypt(value.expose_secret())));
            stored.insert(key.to_owned(), value);
        }
    };
    want("API_KEY", access_key(KeyKind::Api, app.config.access_api_key.as_ref()));
    want("ANON_KEY", access_key(KeyKind::Anon, app.config.access_anon_key.as_ref()));
    want("INSFORGE_BASE_URL", SecretString::from(app.config.api_base_url.as_str()));
    want("INSFORGE_INTERNAL_URL", SecretString::from("http://insforge:7130"));
    want("JWT_SECRET", app.config.jwt_secret.clone());
    store(app, &missing).await?;
    Ok(stored)
}

/// Anon keys of old releases were tokens. They keep verifying as such; the stored key becomes one of today's form.
async fn replace_anon_key(app: &App, stored: &mut HashMap<String, SecretString>) -> Result<(), Error> {
    let key = access_key(KeyKind::Anon, app.config.access_anon_key.as_ref());
    let client = app.pools.internal().await?;
    client
        .execute(
            "update system.secrets set value_ciphertext = $1 where key = 'ANON_KEY'",
            &[&app.cipher.encrypt(key.expose_secret())],
        )
        .await?;
    stored.insert("ANON_KEY".to_owned(), key);
    Ok(())
}

fn is_token(key: &str) -> bool {
    key.starts_with("eyJ") && key.matches('.').count() == 2
}

async fn read_reserved(app: &App) -> Result<HashMap<String, SecretString>, Error> {
    let client = app.pools.internal().await?;
    let names = [
        "API_KEY",
        "ANON_KEY",
        "INSFORGE_BASE_URL",
        "INSFORGE_INTERNAL_URL",
        "JWT_SECRET",
        PRIVATE_KEY,
        PUBLIC_KEY,
        KEY_ID,
    ];
    let rows = client
        .query("select key, value_ciphertext from system.secrets where key = any($1)", &[&names.as_slice()])
        .await?;
    let mut stored = HashMap::with_capacity(rows.len());
    for row in rows {
        let key: String = row.get(0);
        match app.cipher.decrypt(row.get(1)) {
            Ok(value) => _ = stored.insert(key, SecretString::from(value)),
            Err(error) => {
                tracing::error!(secret.key = key, %error, "a reserved secret is unusable; was the encryption key changed?");
                stored.insert(key, SecretString::default());
            }
        }
    }
    Ok(stored)
}

async fn store(app: &App, secrets: &[(String, String)]) -> Result<(), Error> {
    if secrets.is_empty() {
        return Ok(());
    }
    let (keys, values): (Vec<&str>, Vec<&str>) =
        secrets.iter().map(|(key, value)| (key.as_str(), value.as_str())).unzip();
    let client = app.pools.internal().await?;
    client
        .execute(
            "insert into system.secrets (key, value_ciphertext, is_reserved)
             select key, value, true from unnest($1::text[], $2::text[]) as u (key, value)
             on conflict (key) do nothing",
            &[&keys, &values],
        )
        .await?;
    Ok(())
}

/// A seed with its prefix, or a new random key.
pub(crate) fn access_key(kind: KeyKind, seed: Option<&SecretString>) -> SecretString {
    match seed.map(|seed| seed.expose_secret()).filter(|seed| !seed.is_empty()) {
        Some(seed) if seed.starts_with(kind.prefix()) => SecretString::from(seed),
        Some(seed) => SecretString::from(format!("{}{seed}", kind.prefix())),
        None => {
            let mut bytes = [0_u8; 32];
            rand::rng().fill_bytes(&mut bytes);
            SecretString::from(format!("{}{}", kind.prefix(), hex::encode(bytes)))
        }
    }
}

async fn generate_key(app: &Arc<App>) -> Result<(), Error> {
    let made = tokio::task::spawn_blocking(StoredKey::generate)
        .await
        .map_err(|error| Error::internal("make an RSA key", &error))?
        .map_err(|error| Error::internal("make an RSA key", &error))?;
    let rows = [
        (PRIVATE_KEY.to_owned(), app.cipher.encrypt(made.private_pem.expose_secret())),
        (PUBLIC_KEY.to_owned(), app.cipher.encrypt(&made.public_pem)),
        (KEY_ID.to_owned(), app.cipher.encrypt(&made.id)),
    ];
    store(app, &rows).await?;
    // Another process may have been faster; what is stored counts.
    let stored = read_reserved(app).await?;
    if let (Some(private), Some(public), Some(id)) =
        (stored.get(PRIVATE_KEY), stored.get(PUBLIC_KEY), stored.get(KEY_ID))
    {
        load_key(app, private, public, id).await;
    }
    Ok(())
}

async fn load_key(app: &Arc<App>, private: &SecretString, public: &SecretString, id: &SecretString) {
    let key = StoredKey {
        id: id.expose_secret().to_owned(),
        private_pem: private.clone(),
        public_pem: public.expose_secret().to_owned(),
    };
    let keys = Arc::clone(app);
    let loaded = tokio::task::spawn_blocking(move || keys.signing_keys.load(&key)).await;
    if let Ok(Err(error)) = loaded {
        tracing::error!(cause = telemetry::chain(&error), "the stored RSA key is unusable; tokens are HS256");
    }
}
