//! The account behind a provider's identity: a linked one, else the oldest with its address, else a new one.

use deadpool_postgres::Transaction;
use identity_providers::Identity;
use serde_json::json;
use uuid::Uuid;

use crate::{
    auth::{policy::Policy, signup_disabled},
    events::Resource,
    http::{Error, Result},
    state::App,
};

/// The account found or made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) id: Uuid,
    /// Whether it was made just now.
    pub(super) new: bool,
}

/// Finds or makes the account, and links the identity to it.
///
/// # Errors
/// 403 where the project takes no new users; 400 without an address that may be relied on.
pub(super) async fn find_or_create(app: &App, identity: &Identity) -> Result<Found> {
    match attempt(app, identity).await {
        // Another request made the same account or link meanwhile; now it is there to be found.
        Err(error) if error.code() == "DATABASE_DUPLICATE" => attempt(app, identity).await,
        outcome => outcome,
    }
}

async fn attempt(app: &App, identity: &Identity) -> Result<Found> {
    let mut client = app.pools.internal().await?;
    let policy = Policy::read(&client, app.clock.now()).await?;
    let transaction = client.transaction().await?;
    let found = match linked(&transaction, identity).await? {
        Some(id) => Found { id, new: false },
        None => {
            let email = identity.email.as_deref().ok_or_else(no_email)?;
            let found = match with_address(&transaction, email).await? {
                Some(id) => Found { id, new: false },
                None if policy.disable_signup => return Err(signup_disabled()),
                None => Found { id: create(&transaction, identity, email).await?, new: true },
            };
            link(&transaction, found.id, identity).await?;
            found
        }
    };
    transaction.commit().await?;
    app.events.changed(Resource::Users, None);
    Ok(found)
}

async fn linked(transaction: &Transaction<'_>, identity: &Identity) -> Result<Option<Uuid>> {
    let row = transaction
        .query_opt(
            "update auth.user_providers set provider_data = $3, updated_at = now()
             where provider = $1 and provider_account_id = $2 returning user_id",
            &[&identity.provider, &identity.account_id, &identity.data],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let id: Uuid = row.get(0);
    verify(transaction, id).await?;
    Ok(Some(id))
}

async fn with_address(transaction: &Transaction<'_>, email: &str) -> Result<Option<Uuid>> {
    let row = transaction
        .query_opt(
            "select id from auth.users where lower(email) = lower($1) order by created_at, id limit 1 for update",
            &[&email],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let id: Uuid = row.get(0);
    verify(transaction, id).await?;
    Ok(Some(id))
}

async fn verify(transaction: &Transaction<'_>, id: Uuid) -> Result<()> {
    transaction
        .execute(
            "update auth.users set email_verified = true, updated_at = now()
             where id = $1 and not coalesce(email_verified, false)",
            &[&id],
        )
        .await?;
    Ok(())
}

async fn create(transaction: &Transaction<'_>, identity: &Identity, email: &str) -> Result<Uuid> {
    let profile = json!({"name": identity.name, "avatar_url": identity.avatar_url.as_deref().unwrap_or_default()});
    let row = transaction
        .query_one(
            "insert into auth.users (email, email_verified, profile) values ($1, true, $2) returning id",
            &[&email, &profile],
        )
        .await?;
    Ok(row.get(0))
}

async fn link(transaction: &Transaction<'_>, id: Uuid, identity: &Identity) -> Result<()> {
    transaction
        .execute(
            "insert into auth.user_providers (user_id, provider, provider_account_id, provider_data)
             values ($1, $2, $3, $4)",
            &[&id, &identity.provider, &identity.account_id, &identity.data],
        )
        .await?;
    Ok(())
}

fn no_email() -> Error {
    Error::invalid_input("A verified email address is required to create or link an OAuth account.")
}
