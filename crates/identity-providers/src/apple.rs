//! Apple's client secret: a token that the client signs itself with the key it got from Apple.

use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Deserialize;
use serde_json::json;

use crate::Failure;

const LIFETIME: Duration = Duration::days(180);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    team_id: String,
    key_id: String,
    private_key: String,
}

/// The secret made of what the configuration holds.
pub(crate) fn client_secret(
    configured: &str,
    client_id: &str,
    audience: &str,
    now: DateTime<Utc>,
) -> Result<String, Failure> {
    let unusable = Failure::Answer("Apple's client secret must be JSON with teamId, keyId and privateKey");
    let Ok(key) = serde_json::from_str::<Key>(configured) else { return Err(unusable) };
    // Keys pasted into JSON often have their line breaks escaped twice.
    let pem = key.private_key.replace("\\n", "\n");
    let Ok(signer) = EncodingKey::from_ec_pem(pem.as_bytes()) else { return Err(unusable) };
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some(key.key_id);
    let claims = json!({
        "iss": key.team_id,
        "sub": client_id,
        "aud": audience,
        "iat": now.timestamp(),
        "exp": (now + LIFETIME).timestamp(),
    });
    jsonwebtoken::encode(&header, &claims, &signer).map_err(|_| unusable)
}
