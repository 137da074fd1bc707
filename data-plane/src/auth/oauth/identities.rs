//! From a provider's code to an identity: the exchange, then the identity token or the profile, each in the provider's own form.

use serde_json::{Value, json};

use super::{
    accounts::Identity,
    apple,
    calls::{self, ClientProof, Failure},
    configs::Usable,
    providers::{self, Addresses, Provider},
    states::Secrets,
};
use crate::{authentication::key_sets::Expectation, state::App};

/// Exchanges a code and reads who it stands for.
pub(super) async fn identify(
    app: &App,
    provider: Provider,
    config: &Usable,
    code: &str,
    secrets: &Secrets,
) -> Result<Identity, Failure> {
    let addresses = provider.addresses(app);
    let tokens = exchange(app, provider, config, &addresses, code, secrets).await?;
    let bearer = || tokens["access_token"].as_str().ok_or(Failure::Answer("the provider gives no access token"));
    match provider {
        Provider::Google | Provider::LinkedIn | Provider::Apple => {
            let token = tokens["id_token"].as_str().ok_or(Failure::Answer("the provider gives no identity token"))?;
            let claims = verified_claims(app, provider, &addresses, token, &[&config.client_id])
                .await
                .map_err(Failure::Answer)?;
            // Only who began this sign-in knows the nonce.
            if provider.repeats_nonce() && claims["nonce"] != secrets.nonce.as_str() {
                return Err(Failure::Answer("the identity token has another nonce"));
            }
            from_claims(provider, claims)
        }
        Provider::GitHub => {
            let (profile, emails) = (
                calls::get(app, &addresses.profile, Some(bearer()?)).await?,
                calls::get(app, &addresses.emails, Some(bearer()?)).await.unwrap_or_default(),
            );
            from_github(profile, &emails)
        }
        Provider::Facebook => {
            let url = with_query(&addresses.profile, "fields", "id,name,email,first_name,last_name,picture")?;
            from_profile(provider, calls::get(app, &url, Some(bearer()?)).await?)
        }
        Provider::X => {
            let url = with_query(&addresses.profile, "user.fields", "profile_image_url")?;
            let mut answer = calls::get(app, &url, Some(bearer()?)).await?;
            from_profile(provider, answer["data"].take())
        }
        Provider::Discord | Provider::Microsoft => {
            from_profile(provider, calls::get(app, &addresses.profile, Some(bearer()?)).await?)
        }
    }
}

/// The verified claims of an identity token of a built-in provider.
pub(super) async fn verified_claims(
    app: &App,
    provider: Provider,
    addresses: &Addresses,
    token: &str,
    audiences: &[&str],
) -> Result<Value, &'static str> {
    let without_scheme = addresses.issuer.trim_start_matches("https://");
    let issuers = match provider {
        Provider::Google => vec![addresses.issuer.as_str(), without_scheme],
        _ => vec![addresses.issuer.as_str()],
    };
    let expectation =
        Expectation { algorithms: &["RS256", "ES256"], issuers: &issuers, audiences, expiry_required: true };
    app.key_sets.verify(&addresses.keys, || calls::key_set(app, &addresses.keys), token, &expectation).await
}

/// The identity in a verified identity token.
pub(super) fn from_claims(provider: Provider, claims: Value) -> Result<Identity, Failure> {
    let account_id = text(&claims, "sub").ok_or(Failure::Answer("the identity token names nobody"))?;
    let email = text(&claims, "email").filter(|_| !denies(&claims["email_verified"]));
    let local_part = || email.as_deref().and_then(|email| email.split('@').next()).unwrap_or_default().to_owned();
    let name = match provider {
        Provider::Apple => local_part(),
        _ => text(&claims, "name").unwrap_or_else(local_part),
    };
    let avatar_url = text(&claims, "picture");
    Ok(Identity { provider: provider.as_str().to_owned(), account_id, email, name, avatar_url, data: claims })
}

/// The identity in a profile; also in what the cloud's shared sign-in passes on, which names the account `providerId`.
pub(super) fn from_profile(provider: Provider, profile: Value) -> Result<Identity, Failure> {
    let account_id = text(&profile, "providerId")
        .or_else(|| text(&profile, "id"))
        .ok_or(Failure::Answer("the profile names nobody"))?;
    let given =
        text(&profile, "email").filter(|_| !denies(&profile["email_verified"]) && !denies(&profile["verified"]));
    let picture = profile["picture"]["data"]["url"].as_str().map(str::to_owned);
    let field = |name: &str| text(&profile, name);
    let (email, name, avatar_url) = match provider {
        Provider::Discord => (
            given.unwrap_or_else(|| format!("{account_id}@users.noreply.discord.local")),
            field("global_name").or_else(|| field("username")).unwrap_or_default(),
            field("avatar").map(|avatar| discord_avatar(&account_id, avatar)),
        ),
        Provider::Facebook => (
            // Accounts without an address must not all be one account.
            given.unwrap_or_else(|| format!("{account_id}@users.noreply.facebook.local")),
            field("name")
                .or_else(|| field("first_name"))
                .unwrap_or_else(|| format!("User{}", account_id.chars().take(6).collect::<String>())),
            picture.or_else(|| field("avatar")),
        ),
        Provider::Microsoft => {
            let email = field("mail")
                .or(given)
                .or_else(|| field("userPrincipalName"))
                .unwrap_or_else(|| format!("{account_id}@users.noreply.microsoft.com"));
            let name = field("displayName").or_else(|| field("name")).unwrap_or_else(|| email.clone());
            (email, name, field("avatar"))
        }
        Provider::X => {
            let username = field("username").ok_or(Failure::Answer("the profile has no user name"))?;
            (format!("{username}@users.noreply.x.local"), username, field("profile_image_url"))
        }
        Provider::GitHub => {
            let login = field("login").unwrap_or_else(|| account_id.clone());
            let email = given.unwrap_or_else(|| format!("{login}@users.noreply.github.com"));
            (email, field("name").unwrap_or(login), field("avatar_url").or_else(|| field("avatar")))
        }
        Provider::Google | Provider::LinkedIn | Provider::Apple => {
            let email = given.ok_or(Failure::Answer("the profile has no e-mail address"))?;
            let name = field("name").or_else(|| email.split('@').next().map(str::to_owned)).unwrap_or_default();
            (email, name, field("avatar"))
        }
    };
    Ok(Identity {
        provider: provider.as_str().to_owned(),
        account_id,
        email: Some(email),
        name,
        avatar_url,
        data: profile,
    })
}

/// GitHub's profile with the primary address, when that is verified.
fn from_github(mut profile: Value, emails: &Value) -> Result<Identity, Failure> {
    let primary = emails
        .as_array()
        .into_iter()
        .flatten()
        .find(|email| email["primary"] == true && email["verified"] == true)
        .and_then(|email| email["email"].as_str());
    // The address in the profile is whatever its owner wrote there.
    profile["email"] = json!(primary);
    from_profile(Provider::GitHub, profile)
}

async fn exchange(
    app: &App,
    provider: Provider,
    config: &Usable,
    addresses: &Addresses,
    code: &str,
    secrets: &Secrets,
) -> Result<Value, Failure> {
    let redirect_uri = providers::callback_url(app, provider.as_str());
    let secret = match provider {
        Provider::Apple => {
            apple::client_secret(&config.client_secret, &config.client_id, &addresses.issuer, app.clock.now())?
        }
        _ => config.client_secret.clone(),
    };
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri.as_str()),
        ("client_id", config.client_id.as_str()),
    ];
    if provider.uses_pkce() {
        fields.push(("code_verifier", secrets.verifier.as_str()));
    }
    let proof = match provider {
        Provider::X => ClientProof::Basic { id: &config.client_id, secret: &secret },
        _ => {
            fields.push(("client_secret", secret.as_str()));
            ClientProof::Form
        }
    };
    calls::post_form(app, &addresses.token, &fields, proof).await
}

fn discord_avatar(id: &str, avatar: String) -> String {
    match avatar.starts_with("http") {
        true => avatar,
        false => format!("https://cdn.discordapp.com/avatars/{id}/{avatar}.png"),
    }
}

fn with_query(url: &str, name: &str, value: &str) -> Result<String, Failure> {
    let mut url = url::Url::parse(url).map_err(|_| Failure::Answer("the provider's address is no URL"))?;
    url.query_pairs_mut().append_pair(name, value);
    Ok(url.into())
}

/// A non-empty text, or a number as text.
pub(super) fn text(value: &Value, name: &str) -> Option<String> {
    match &value[name] {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Whether a provider says of an address that it is not proven. Some say so in words.
pub(super) fn denies(verified: &Value) -> bool {
    *verified == Value::Bool(false) || *verified == "false"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_become_identities_in_each_providers_form() {
        let cases = [
            (
                Provider::Discord,
                json!({"id": "7", "username": "ada", "email": null}),
                "7@users.noreply.discord.local",
                "ada",
            ),
            (
                Provider::Discord,
                json!({"id": "7", "username": "a", "global_name": "Ada", "email": "a@b.co", "verified": false}),
                "7@users.noreply.discord.local",
                "Ada",
            ),
            (Provider::Facebook, json!({"id": "1234567890"}), "1234567890@users.noreply.facebook.local", "User123456"),
            (
                Provider::Microsoft,
                json!({"id": "m", "userPrincipalName": "a@b.onmicrosoft.com", "displayName": "Ada"}),
                "a@b.onmicrosoft.com",
                "Ada",
            ),
            (Provider::Microsoft, json!({"id": "m"}), "m@users.noreply.microsoft.com", "m@users.noreply.microsoft.com"),
            (Provider::X, json!({"id": "9", "username": "ada", "email": "a@b.co"}), "ada@users.noreply.x.local", "ada"),
            (Provider::GitHub, json!({"providerId": 5, "login": "ada"}), "ada@users.noreply.github.com", "ada"),
            (Provider::Google, json!({"providerId": "5", "email": "ada@b.co"}), "ada@b.co", "ada"),
        ];
        for (provider, profile, email, name) in cases {
            let identity = from_profile(provider, profile).expect("an identity");
            assert_eq!((identity.email.as_deref(), identity.name.as_str()), (Some(email), name), "{provider:?}");
        }
        assert!(from_profile(Provider::Google, json!({"id": "5"})).is_err());
        assert!(from_profile(Provider::Discord, json!({"email": "a@b.co"})).is_err());
    }

    #[test]
    fn only_a_verified_primary_address_of_github_counts() {
        let emails = json!([{"email": "x@y.zz", "primary": false, "verified": true}, {"email": "a@b.co", "primary": true, "verified": false}]);
        let identity =
            from_github(json!({"id": 1, "login": "ada", "email": "victim@b.co"}), &emails).expect("an identity");
        assert_eq!(identity.email.as_deref(), Some("ada@users.noreply.github.com"));
    }

    #[test]
    fn an_unproven_address_in_an_identity_token_does_not_count() {
        let identity = from_claims(Provider::Google, json!({"sub": "1", "email": "a@b.co", "email_verified": false}));
        assert_eq!(identity.expect("an identity").email, None);
        let identity = from_claims(Provider::Apple, json!({"sub": "1", "email": "a@b.co", "email_verified": "true"}));
        assert_eq!(identity.expect("an identity").name, "a");
    }
}
