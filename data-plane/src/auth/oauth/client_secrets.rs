//! Providers' client secrets: rows of the project's secrets, under a name that the provider's configuration decides.

use deadpool_postgres::GenericClient;
use uuid::Uuid;

use crate::{
    http::{Error, Result},
    state::App,
};

/// Stores a new secret; one that was deleted comes back with the new value.
///
/// # Errors
/// 409 when there is an active one of that name.
pub(super) async fn create(app: &App, client: &impl GenericClient, name: &str, value: &str) -> Result<Uuid> {
    let row = client
        .query_opt(
            "insert into system.secrets as s (key, value_ciphertext) values ($1, $2)
             on conflict (key) do update set
                value_ciphertext = excluded.value_ciphertext, is_active = true, expires_at = null, last_used_at = null
             where not s.is_active and not coalesce(s.is_reserved, false)
             returning id",
            &[&name, &app.cipher.encrypt(value)],
        )
        .await?;
    row.map(|row| row.get(0))
        .ok_or_else(|| Error::conflict("SECRET_ALREADY_EXISTS", format!("Secret already exists: {name}")))
}

/// Gives a stored secret another value.
pub(super) async fn update(app: &App, client: &impl GenericClient, id: Uuid, value: &str) -> Result<()> {
    client
        .execute(
            "update system.secrets set value_ciphertext = $2, is_active = true where id = $1",
            &[&id, &app.cipher.encrypt(value)],
        )
        .await?;
    Ok(())
}

/// Removes a secret that nothing refers to any more.
pub(super) async fn delete(client: &impl GenericClient, id: Uuid) -> Result<()> {
    client.execute("delete from system.secrets where id = $1", &[&id]).await?;
    Ok(())
}

/// A ciphertext's value; nothing when there is none or it cannot be read.
pub(super) fn open(app: &App, ciphertext: Option<&str>) -> Option<String> {
    app.cipher.decrypt(ciphertext?).ok()
}
