//! End users as rows and as clients see them.

use chrono::{DateTime, Utc};
use deadpool_postgres::{ClientWrapper, GenericClient};
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::http::Result;

/// The columns that [`from_row`] reads, for a table named `u`.
pub(super) const COLUMNS: &str = "u.id, u.email, coalesce(u.email_verified, false), u.created_at, u.updated_at,
    u.password is not null,
    coalesce((select array_agg(distinct p.provider order by p.provider) from auth.user_providers p where p.user_id = u.id), '{}'),
    coalesce(u.profile, '{}'), coalesce(u.metadata, '{}')";

/// What of a user matters for signing in.
pub(super) struct Account {
    pub(super) id: Uuid,
    pub(super) email: String,
    pub(super) verified: bool,
    pub(super) password_hash: Option<String>,
    pub(super) json: Value,
}

/// The user with this id.
pub(super) async fn find(client: &ClientWrapper, id: Uuid) -> Result<Option<Account>> {
    let sql = format!("select {COLUMNS}, u.password from auth.users u where u.id = $1");
    let statement = client.prepare_cached(&sql).await?;
    Ok(client.query_opt(&statement, &[&id]).await?.map(|row| account(&row)))
}

/// The user with this e-mail address, written in lower case.
pub(super) async fn find_by_email(client: &ClientWrapper, email: &str) -> Result<Option<Account>> {
    let sql = format!(
        "select {COLUMNS}, u.password from auth.users u
         where lower(u.email) = $1 order by u.email = $1 desc, u.created_at limit 1"
    );
    let statement = client.prepare_cached(&sql).await?;
    Ok(client.query_opt(&statement, &[&email]).await?.map(|row| account(&row)))
}

/// Marks the oldest account of an address as verified; its id.
pub(super) async fn mark_verified(client: &impl GenericClient, email: &str) -> Result<Option<Uuid>> {
    let row = client
        .query_opt(
            "update auth.users set email_verified = true, updated_at = now()
             where id = (select id from auth.users where lower(email) = $1 order by created_at, id limit 1)
             returning id",
            &[&email],
        )
        .await?;
    Ok(row.map(|row| row.get(0)))
}

/// The name in the profile of an address's account, empty when it has none; nothing when there is no account.
pub(super) async fn display_name(client: &ClientWrapper, email: &str) -> Result<Option<String>> {
    let row = client
        .query_opt(
            "select coalesce(profile ->> 'name', '') from auth.users
             where lower(email) = $1 order by created_at, id limit 1",
            &[&email],
        )
        .await?;
    Ok(row.map(|row| row.get(0)))
}

fn account(row: &Row) -> Account {
    Account { id: row.get(0), email: row.get(1), verified: row.get(2), password_hash: row.get(9), json: from_row(row) }
}

/// A user as clients see it.
pub(super) fn from_row(row: &Row) -> Value {
    let mut providers: Vec<String> = row.get(6);
    let has_password: bool = row.get(5);
    if has_password && !providers.iter().any(|provider| provider == "email") {
        providers.push("email".to_owned());
    }
    json!({
        "id": row.get::<_, Uuid>(0),
        "email": row.get::<_, String>(1),
        "emailVerified": row.get::<_, bool>(2),
        "createdAt": row.get::<_, Option<DateTime<Utc>>>(3).map(clock::iso_millis),
        "updatedAt": row.get::<_, Option<DateTime<Utc>>>(4).map(clock::iso_millis),
        "providers": providers,
        "profile": row.get::<_, Value>(7),
        "metadata": row.get::<_, Value>(8),
    })
}
