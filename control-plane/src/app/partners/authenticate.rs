//! Which partner asks. A wrong secret, an unknown partner and an expired secret look the same.

use ids::PartnerId;
use model::Error;
use secrecy::SecretString;
use store::partners::Partner;
use subtle::{Choice, ConstantTimeEq as _};

use crate::{app::Failure, signing::token_hash, state::State};

fn refused() -> Error {
    Error::unauthenticated("partner.unauthenticated", "Invalid partner id or secret")
}

/// The partner whose secret this is.
///
/// # Errors
/// Unauthenticated; throttled after too many wrong guesses; forbidden for a disabled partner that proved who it is.
pub(crate) async fn authenticate(
    state: &State,
    id: Option<PartnerId>,
    secret: Option<&str>,
    address: &str,
) -> Result<Partner, Failure> {
    let presented = token_hash(&SecretString::from(secret.unwrap_or_default()));
    let now = state.clock.now();
    let look = state.partner_guesses.begin(id, &presented, address, now)?;
    let mut conn = state.connection().await?;
    // An unknown partner costs the same two statements as a known one.
    let id = id.unwrap_or_else(PartnerId::generate);
    let partner = store::partners::find(&mut conn, id).await?;
    let live = store::partner_secrets::live_hashes(&mut conn, id, now).await?;
    let mut matching = None;
    for (secret_id, hash) in &live {
        let same: Choice = hash.as_slice().ct_eq(&presented);
        if bool::from(same) {
            matching = Some(*secret_id);
        }
    }
    let (Some(partner), Some(secret_id)) = (partner, matching) else { return Err(refused().into()) };
    state.partner_guesses.right(look, partner.id, presented, now);
    if partner.disabled_at.is_some() {
        return Err(Error::forbidden("This partner is disabled").into());
    }
    store::partner_secrets::touch(&mut conn, secret_id, now).await?;
    Ok(partner)
}
