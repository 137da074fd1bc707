//! Mailed codes and link tokens: one row per address and purpose in `auth.email_otps`, never in plain text.
//!
//! A code is six digits, hashed with bcrypt, short-lived and dead after three wrong tries. A token is 64 hex digits, stored as its SHA-256,
//! and works once. Sending again replaces what was sent before.

use chrono::{DateTime, Duration, Utc};
use deadpool_postgres::GenericClient;
use rand::{Rng as _, RngCore as _};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::passwords::Verdict;
use crate::{
    http::{Error, Result},
    state::App,
};

const CODE_LIFETIME: Duration = Duration::minutes(15);
const SIGN_IN_CODE_LIFETIME: Duration = Duration::minutes(5);
const TOKEN_LIFETIME: Duration = Duration::hours(24);

/// Tries after which a code is dead.
const TRIES_MAX: i32 = 3;

const TOKEN_BYTES: usize = 32;

/// What a code or token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Proving that an address is one's own.
    VerifyEmail,
    /// Choosing a new password.
    ResetPassword,
    /// Signing in without a password.
    SignIn,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "VERIFY_EMAIL",
            Self::ResetPassword => "RESET_PASSWORD",
            Self::SignIn => "SIGN_IN",
        }
    }
}

/// A code that was right; [`consume`] and [`exchange`] use it up.
pub(super) struct RightCode {
    id: Uuid,
    hash: String,
}

/// A link token as it is stored.
pub(super) struct StoredToken {
    /// Where the link leads back to.
    pub(super) redirect_to: Option<String>,
    /// Whether it still works.
    pub(super) valid: bool,
}

/// Makes and stores a new code.
pub(super) async fn issue_code(app: &App, purpose: Purpose, email: &str) -> Result<String> {
    let code = format!("{:06}", rand::rng().random_range(0..1_000_000_u32));
    let hash = app.passwords.hash_code(SecretString::from(code.as_str())).await?;
    let lifetime = if purpose == Purpose::SignIn { SIGN_IN_CODE_LIFETIME } else { CODE_LIFETIME };
    store(app, purpose, email, &hash, "NUMERIC_CODE", app.clock.now() + lifetime, None).await?;
    Ok(code)
}

/// Makes and stores a new link token.
pub(super) async fn issue_token(app: &App, purpose: Purpose, email: &str, redirect_to: Option<&str>) -> Result<String> {
    let token = new_token();
    store(app, purpose, email, &hashed(&token), "HASH_TOKEN", app.clock.now() + TOKEN_LIFETIME, redirect_to).await?;
    Ok(token)
}

/// Checks a code. The try is counted before it is checked, so that parallel guesses gain nothing.
///
/// # Errors
/// 400 for a wrong, expired, used or unknown code; all look alike and take the same time.
pub(super) async fn check_code(app: &App, purpose: Purpose, email: &str, code: &str) -> Result<RightCode> {
    let row = {
        let client = app.pools.internal().await?;
        client
            .query_opt(
                "update auth.email_otps set attempts_count = attempts_count + 1
                 where email = $1 and purpose = $2 and otp_type = 'NUMERIC_CODE' and consumed_at is null
                    and expires_at > $3 and attempts_count < $4
                 returning id, otp_hash, attempts_count",
                &[&email, &purpose.as_str(), &app.clock.now(), &TRIES_MAX],
            )
            .await?
    };
    let stored = row.as_ref().map(|row| row.get::<_, String>(1));
    let verdict = app.passwords.check_code(SecretString::from(code), stored).await?;
    let Some(row) = row else { return Err(wrong_code()) };
    let (id, hash): (Uuid, String) = (row.get(0), row.get(1));
    if verdict != Verdict::Wrong {
        return Ok(RightCode { id, hash });
    }
    if row.get::<_, i32>(2) >= TRIES_MAX {
        let client = app.pools.internal().await?;
        client
            .execute(
                "update auth.email_otps set consumed_at = $3 where id = $1 and otp_hash = $2",
                &[&id, &hash, &app.clock.now()],
            )
            .await?;
    }
    Err(wrong_code())
}

/// Uses a right code up.
///
/// # Errors
/// 400 when somebody else was faster.
pub(super) async fn consume(client: &impl GenericClient, code: &RightCode, now: DateTime<Utc>) -> Result<()> {
    let consumed = client
        .execute(
            "update auth.email_otps set consumed_at = $3 where id = $1 and otp_hash = $2 and consumed_at is null",
            &[&code.id, &code.hash, &now],
        )
        .await?;
    if consumed == 1 { Ok(()) } else { Err(wrong_code()) }
}

/// Uses a right code up and puts a token in its place.
///
/// # Errors
/// 400 when somebody else was faster.
pub(super) async fn exchange(app: &App, code: &RightCode) -> Result<(String, DateTime<Utc>)> {
    let (token, expires_at) = (new_token(), app.clock.now() + TOKEN_LIFETIME);
    let client = app.pools.internal().await?;
    let exchanged = client
        .execute(
            "update auth.email_otps set otp_hash = $3, otp_type = 'HASH_TOKEN', expires_at = $4, attempts_count = 0
             where id = $1 and otp_hash = $2 and consumed_at is null",
            &[&code.id, &code.hash, &hashed(&token), &expires_at],
        )
        .await?;
    if exchanged == 1 { Ok((token, expires_at)) } else { Err(wrong_code()) }
}

/// The row of a link token, used up or not.
pub(super) async fn find_token(
    client: &impl GenericClient,
    purpose: Purpose,
    token: &str,
    now: DateTime<Utc>,
) -> Result<Option<StoredToken>> {
    let row = client
        .query_opt(
            "select redirect_to, consumed_at is null and expires_at > $3 from auth.email_otps
             where otp_hash = $1 and purpose = $2 and otp_type = 'HASH_TOKEN'",
            &[&hashed(token), &purpose.as_str(), &now],
        )
        .await?;
    Ok(row.map(|row| StoredToken { redirect_to: row.get(0), valid: row.get(1) }))
}

/// Uses a token up; the address it was sent to.
///
/// # Errors
/// 400 for one that does not work, or not any more.
pub(super) async fn consume_token(
    client: &impl GenericClient,
    purpose: Purpose,
    token: &str,
    now: DateTime<Utc>,
) -> Result<String> {
    let row = client
        .query_opt(
            "update auth.email_otps set consumed_at = $3
             where otp_hash = $1 and purpose = $2 and otp_type = 'HASH_TOKEN' and consumed_at is null
                and expires_at > $3
             returning email",
            &[&hashed(token), &purpose.as_str(), &now],
        )
        .await?;
    row.map(|row| row.get(0)).ok_or_else(wrong_token)
}

/// 64 random hex digits.
pub(super) fn new_token() -> String {
    let mut bytes = [0_u8; TOKEN_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}

/// A secret of high entropy as it is stored.
pub(super) fn hashed(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// Whether a text has the form of a token.
pub(super) fn is_token(text: &str) -> bool {
    text.len() == TOKEN_BYTES * 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// 400 for a code.
pub(super) fn wrong_code() -> Error {
    Error::invalid_input("Invalid or expired verification code")
}

/// 400 for a token.
pub(super) fn wrong_token() -> Error {
    Error::invalid_input("Invalid or expired verification token")
}

async fn store(
    app: &App,
    purpose: Purpose,
    email: &str,
    hash: &str,
    kind: &str,
    expires_at: DateTime<Utc>,
    redirect_to: Option<&str>,
) -> Result<()> {
    let client = app.pools.internal().await?;
    client
        .execute(
            "insert into auth.email_otps (email, purpose, otp_hash, otp_type, expires_at, redirect_to)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (email, purpose) do update set
                otp_hash = excluded.otp_hash, otp_type = excluded.otp_type, expires_at = excluded.expires_at,
                redirect_to = excluded.redirect_to, consumed_at = null, attempts_count = 0, created_at = now()",
            &[&email, &purpose.as_str(), &hash, &kind, &expires_at, &redirect_to],
        )
        .await?;
    Ok(())
}
