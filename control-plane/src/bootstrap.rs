//! The first start: the operator's account, its key and its organization.

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

/// What the first start made. Secrets are kept nowhere else.
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
    let password = random_token("", 16);
    let to_hash = password.clone();
    let hash = tokio::task::spawn_blocking(move || passwords::hash(&to_hash)).await.expect("hashing does not panic");
    let user = User {
        id: UserId::generate(),
        email: EMAIL.to_owned(),
        name: "Operator".to_owned(),
        avatar_url: None,
        email_verified: true,
        operator: true,
        created_at: now,
    };
    store::users::insert(conn, &user, Some(&hash)).await?;

    let token = random_token("uak_", 32);
    let key = ApiKey {
        id: ApiKeyId::generate(),
        name: "First key".to_owned(),
        prefix: shown_prefix(&token),
        expires_at: None,
        last_used_at: None,
        created_at: now,
    };
    store::api_keys::insert(conn, user.id, &key, &token_hash(&token)).await?;

    let organization = Organization {
        id: OrganizationId::generate(),
        name: NAME.to_owned(),
        kind: OrganizationType::Personal,
        plan: Plan::Team,
        created_at: now,
        updated_at: now,
    };
    store::organizations::insert(conn, &organization).await?;
    store::members::insert(conn, MemberId::generate(), organization.id, user.id, Role::Owner, now).await?;
    Ok(Some(Bootstrapped { email: user.email, password, user_api_key: token, organization_id: organization.id }))
}
