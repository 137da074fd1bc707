//! Signing in, refreshing, and recognising who a request is from.

use chrono::Duration;
use ids::SessionId;
use model::{Error, limits, secrets::random_token};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgConnection;
use store::{
    sessions::{self, Session, TokenAge},
    users::User,
};

use super::{Failure, audit};
use crate::{
    signing::{Claims, token_hash},
    state::State,
};

/// The client that tokens of a password sign-in are issued to.
const LOGIN_CLIENT: &str = "login";

/// A fresh pair of tokens.
pub(crate) struct Tokens {
    pub(crate) access_token: SecretString,
    pub(crate) refresh_token: SecretString,
}

fn wrong_credentials() -> Error {
    Error::unauthenticated("auth.invalid_credentials", "Invalid email or password")
}

fn not_signed_in() -> Error {
    Error::unauthenticated("auth.unauthenticated", "Authentication required")
}

/// Signs in with a password. `address` is where the attempt comes from; failures are counted per account and address.
pub(crate) async fn log_in(
    state: &State,
    request_id: &str,
    email: &str,
    password: SecretString,
    address: &str,
) -> Result<(User, Tokens), Failure> {
    if email.is_empty() || email.len() > limits::EMAIL_MAX {
        return Err(Error::invalid("email", "email must be an e-mail address").into());
    }
    if password.expose_secret().is_empty() || password.expose_secret().len() > limits::PASSWORD_MAX {
        return Err(Error::invalid("password", "password must not be empty or too long").into());
    }
    let name = format!("{} {address}", email.to_lowercase());
    let attempt = state.login_throttle.begin(name, state.clock.now())?;
    // The connection goes back before the password is hashed, which takes long.
    let found = store::users::find_by_email(&mut *state.connection().await?, email).await?;
    let (user, hash) = match found {
        Some((user, hash)) => (Some(user), hash),
        None => (None, None),
    };
    let verified = state.passwords.verify(password, hash).await;
    let Some(user) = user.filter(|_| verified) else { return Err(wrong_credentials().into()) };
    attempt.succeeded();
    let opening = open_session(state.clone(), user.clone());
    let tokens = audit::record(state, user.id, request_id, "session.create", opening).await?;
    Ok((user, tokens))
}

async fn open_session(state: State, user: User) -> Result<Tokens, Failure> {
    let now = state.clock.now();
    let refresh_token = random_token("", 32);
    let id = SessionId::generate();
    let mut tx = state.begin().await?;
    sessions::purge(&mut tx, user.id, now).await?;
    sessions::insert(
        &mut tx,
        id,
        user.id,
        &token_hash(&refresh_token),
        now,
        now + Duration::days(limits::REFRESH_TOKEN_DAYS),
    )
    .await?;
    tx.commit().await?;
    Ok(Tokens { access_token: state.signer.sign(&user, id, LOGIN_CLIENT, now), refresh_token })
}

fn invalid_grant() -> Error {
    Error::unauthenticated("auth.invalid_grant", "The refresh token is not valid")
}

/// Exchanges a refresh token. It rotates; the one before works for a short grace, and after that its use ends the whole session.
pub(crate) async fn refresh(state: &State, request_id: &str, presented: SecretString) -> Result<Tokens, Failure> {
    let session = live_session(&mut *state.connection().await?, state, &presented).await?;
    audit::record(state, session.user_id, request_id, "session.refresh", rotate(state.clone(), presented)).await
}

/// The session of a refresh token, locked until the transaction ends.
async fn live_session(conn: &mut PgConnection, state: &State, presented: &SecretString) -> Result<Session, Failure> {
    let found = sessions::find_by_token(conn, &token_hash(presented)).await?;
    Ok(found.filter(|session| session.expires_at > state.clock.now()).ok_or_else(invalid_grant)?)
}

async fn rotate(state: State, presented: SecretString) -> Result<Tokens, Failure> {
    let now = state.clock.now();
    let mut tx = state.begin().await?;
    let Session { id, user_id, age, rotated_at, .. } = live_session(&mut tx, &state, &presented).await?;
    let grace = Duration::seconds(limits::REFRESH_GRACE_SECONDS);
    let next = state.signer.next_refresh_token(&presented);
    match age {
        TokenAge::Current => {
            let expires_at = now + Duration::days(limits::REFRESH_TOKEN_DAYS);
            sessions::rotate(&mut tx, id, &token_hash(&next), now, expires_at).await?;
        }
        TokenAge::Previous if rotated_at.is_some_and(|at| now - at <= grace) => {}
        TokenAge::Previous => {
            sessions::revoke(&mut tx, id, now).await?;
            tx.commit().await?;
            tracing::warn!(session.id = %id, user.id = %user_id, "a refresh token was used again after its rotation; the session is ended");
            return Err(invalid_grant().into());
        }
    }
    let user = store::users::find(&mut tx, user_id).await?.ok_or_else(invalid_grant)?;
    tx.commit().await?;
    Ok(Tokens { access_token: state.signer.sign(&user, id, LOGIN_CLIENT, now), refresh_token: next })
}

/// The user behind a bearer credential: a `uak_` key or an access token.
pub(crate) async fn authenticate(state: &State, bearer: Option<&str>) -> Result<User, Failure> {
    let bearer = bearer.ok_or_else(not_signed_in)?;
    if bearer.starts_with("uak_") {
        return by_api_key(state, SecretString::from(bearer)).await;
    }
    let Claims { sub, sid, .. } = state.signer.verify(bearer, state.clock.now()).ok_or_else(not_signed_in)?;
    let user = store::users::find_by_session(&mut *state.connection().await?, sid, sub).await?;
    Ok(user.ok_or_else(not_signed_in)?)
}

async fn by_api_key(state: &State, token: SecretString) -> Result<User, Failure> {
    let now = state.clock.now();
    let mut conn = state.connection().await?;
    // Found by hash: how long the comparison takes says nothing about the key.
    let found = store::api_keys::authenticate(&mut conn, &token_hash(&token), now).await?;
    let (id, user) =
        found.ok_or_else(|| Error::unauthenticated("auth.invalid_api_key", "Invalid or revoked API key"))?;
    store::api_keys::touch(&mut conn, id, now).await?;
    Ok(user)
}
