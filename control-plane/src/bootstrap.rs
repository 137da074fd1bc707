//! The first start: the operator's account, its key and its organization; and new credentials for it where the first ones were lost.

use chrono::{DateTime, Utc};
use clock::Clock;
use ids::{ApiKeyId, MemberId, OrganizationId, UserId};
use model::{
    limits::Plan,
    organizations::{OrganizationType, Role},
    secrets::random_token,
};
use secrecy::SecretString;
use sqlx::PgConnection;
use store::{api_keys::ApiKey, organizations::Organization, users::User};

use crate::{app::api_keys::shown_prefix, passwords, signing::token_hash};

const EMAIL: &str = "admin@hearth.local";
const NAME: &str = "Hearth";
const KEY_NAME: &str = "First key";

/// What the operator signs in with. Secrets are kept nowhere else.
#[derive(Debug)]
pub struct Bootstrapped {
    /// Address to sign in with.
    pub email: String,
    /// Password to sign in with.
    pub password: SecretString,
    /// A user API key that does not expire.
    pub user_api_key: SecretString,
    /// The organization that new projects go to.
    pub organization_id: OrganizationId,
}

/// Makes the operator's account if there is no user yet; later calls return nothing. The caller owns the transaction.
///
/// # Errors
/// When the control database fails.
pub async fn bootstrap(conn: &mut PgConnection, clock: &dyn Clock) -> sqlx::Result<Option<Bootstrapped>> {
    store::users::lock_bootstrap(conn).await?;
    if store::users::any(conn).await? {
        return Ok(None);
    }
    let now = clock.now();
    let user = User {
        id: UserId::generate(),
        email: EMAIL.to_owned(),
        name: "Operator".to_owned(),
        avatar_url: None,
        email_verified: true,
        operator: true,
        created_at: now,
    };
    let (password, hash) = new_password().await;
    store::users::insert(conn, &user, Some(&hash)).await?;
    let user_api_key = new_key(conn, user.id, now).await?;
    let organization_id = new_organization(conn, user.id, now).await?;
    Ok(Some(Bootstrapped { email: user.email, password, user_api_key, organization_id }))
}

/// Gives the first operator another password and another first key; what was issued before is refused from then on. For an operator
/// who holds the home but lost what the first start wrote there. Nothing when there is no operator. The caller owns the transaction.
///
/// # Errors
/// When the control database fails.
pub async fn renew_credentials(conn: &mut PgConnection, clock: &dyn Clock) -> sqlx::Result<Option<Bootstrapped>> {
    store::users::lock_bootstrap(conn).await?;
    let Some(user) = store::users::find_first_operator(conn).await? else { return Ok(None) };
    let now = clock.now();
    let (password, hash) = new_password().await;
    store::users::set_password(conn, user.id, &hash, now).await?;
    store::sessions::revoke_all(conn, user.id, now).await?;
    store::api_keys::revoke_named(conn, user.id, KEY_NAME, now).await?;
    let user_api_key = new_key(conn, user.id, now).await?;
    let organization_id = match store::organizations::list(conn, user.id).await?.into_iter().next() {
        Some(membership) => membership.organization.id,
        None => new_organization(conn, user.id, now).await?,
    };
    Ok(Some(Bootstrapped { email: user.email, password, user_api_key, organization_id }))
}

/// A random password and its hash.
async fn new_password() -> (SecretString, String) {
    let password = random_token("", 16);
    let to_hash = password.clone();
    let hash = tokio::task::spawn_blocking(move || passwords::hash(&to_hash)).await.expect("hashing does not panic");
    (password, hash)
}

async fn new_key(conn: &mut PgConnection, user_id: UserId, now: DateTime<Utc>) -> sqlx::Result<SecretString> {
    let token = random_token("uak_", 32);
    let key = ApiKey {
        id: ApiKeyId::generate(),
        name: KEY_NAME.to_owned(),
        prefix: shown_prefix(&token),
        expires_at: None,
        last_used_at: None,
        created_at: now,
    };
    store::api_keys::insert(conn, user_id, &key, &token_hash(&token)).await?;
    Ok(token)
}

async fn new_organization(
    conn: &mut PgConnection,
    user_id: UserId,
    now: DateTime<Utc>,
) -> sqlx::Result<OrganizationId> {
    let organization = Organization {
        id: OrganizationId::generate(),
        name: NAME.to_owned(),
        kind: OrganizationType::Personal,
        plan: Plan::Team,
        created_at: now,
        updated_at: now,
    };
    store::organizations::insert(conn, &organization).await?;
    store::members::insert(conn, MemberId::generate(), organization.id, user_id, Role::Owner, now).await?;
    Ok(organization.id)
}
