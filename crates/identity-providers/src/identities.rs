//! From a provider's code to an identity: the exchange, then the identity token or the profile, each in the provider's own form.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::{
    Calls, Client, Failure, Secrets, apple,
    calls::{self, ClientProof},
    key_sets::Expectation,
    provider::{Addresses, Provider},
};

/// Who somebody is to a provider.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `google`, …, or the key of a custom one.
    pub provider: String,
    /// Names the account at the provider.
    pub account_id: String,
    /// Absent when the provider names none that may be relied on.
    pub email: Option<String>,
    /// For display.
    pub name: String,
    /// A picture.
    pub avatar_url: Option<String>,
    /// All that the provider said.
    pub data: Value,
}

/// Exchanges a code and reads who it stands for.
///
/// # Errors
/// The provider refuses, does not answer, or answers what cannot be believed.
pub async fn identify(
    calls: Calls<'_>,
    provider: Provider,
    client: &Client<'_>,
    code: &str,
    secrets: &Secrets,
    now: DateTime<Utc>,
) -> Result<Identity, Failure> {
    let Calls { outbound, endpoints, .. } = calls;
    let addresses = provider.addresses(endpoints);
    let fields = exchange_fields(provider, client, &addresses, code, secrets, now)?;
    let tokens = calls::post_form(outbound, &addresses.token, &fields.pairs(), fields.proof(client)).await?;
    let bearer = || tokens["access_token"].as_str().ok_or(Failure::Answer("the provider gives no access token"));
    match provider {
        Provider::Google | Provider::LinkedIn | Provider::Apple => {
            let token = tokens["id_token"].as_str().ok_or(Failure::Answer("the provider gives no identity token"))?;
            let claims = verified_claims(calls, provider, token, &[client.id]).await.map_err(Failure::Answer)?;
            // Only who began this sign-in knows the nonce.
            if provider.repeats_nonce() && claims["nonce"] != secrets.nonce.as_str() {
                return Err(Failure::Answer("the identity token has another nonce"));
            }
            from_claims(provider, claims)
        }
        Provider::GitHub => {
            let (profile, emails) = (
                calls::get(outbound, &addresses.profile, Some(bearer()?)).await?,
                calls::get(outbound, &addresses.emails, Some(bearer()?)).await.unwrap_or_default(),
            );
            from_github(profile, &emails)
        }
        Provider::Facebook => {
            let url = with_query(&addresses.profile, "fields", "id,name,email,first_name,last_name,picture")?;
            from_profile(provider, calls::get(outbound, &url, Some(bearer()?)).await?)
        }
        Provider::X => {
            let url = with_query(&addresses.profile, "user.fields", "profile_image_url")?;
            let mut answer = calls::get(outbound, &url, Some(bearer()?)).await?;
            from_profile(provider, answer["data"].take())
        }
        Provider::Discord | Provider::Microsoft => {
            from_profile(provider, calls::get(outbound, &addresses.profile, Some(bearer()?)).await?)
        }
    }
}

/// The verified claims of an identity token of a built-in provider.
///
/// # Errors
/// What is wrong with it.
pub async fn verified_claims(
    calls: Calls<'_>,
    provider: Provider,
    token: &str,
    audiences: &[&str],
) -> Result<Value, &'static str> {
    let addresses = provider.addresses(calls.endpoints);
    let without_scheme = addresses.issuer.trim_start_matches("https://");
    let issuers = match provider {
        Provider::Google => vec![addresses.issuer.as_str(), without_scheme],
        _ => vec![addresses.issuer.as_str()],
    };
    let expectation =
        Expectation { algorithms: &["RS256", "ES256"], issuers: &issuers, audiences, expiry_required: true };
    let fetch = || calls::key_set(calls.outbound, &addresses.keys);
    calls.key_sets.verify(&addresses.keys, fetch, token, &expectation).await
}

/// The identity in a verified identity token.
///
/// # Errors
/// It names nobody.
pub fn from_claims(provider: Provider, claims: Value) -> Result<Identity, Failure> {
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
///
/// # Errors
/// It lacks what the provider's profiles always have.
pub fn from_profile(provider: Provider, profile: Value) -> Result<Identity, Failure> {
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

/// A profile that [`from_profile`] reads as this identity: how the cloud passes on who somebody is.
#[must_use]
pub fn to_profile(identity: &Identity) -> Value {
    let Identity { account_id, email, name, avatar_url, .. } = identity;
    json!({
        "providerId": account_id,
        "email": email,
        "name": name,
        // The field in which some providers have the name.
        "username": name,
        "login": name,
        "avatar": avatar_url,
        "avatar_url": avatar_url,
        "profile_image_url": avatar_url,
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

/// What the token endpoint is sent.
struct ExchangeFields<'a> {
    fields: Vec<(&'static str, &'a str)>,
    secret: Cow<'a, str>,
    basic: bool,
}

impl ExchangeFields<'_> {
    fn pairs(&self) -> Vec<(&'static str, &str)> {
        let secret = (!self.basic).then_some(("client_secret", &*self.secret));
        self.fields.iter().copied().chain(secret).collect()
    }

    fn proof<'s>(&'s self, client: &Client<'s>) -> ClientProof<'s> {
        match self.basic {
            true => ClientProof::Basic { id: client.id, secret: &self.secret },
            false => ClientProof::Form,
        }
    }
}

fn exchange_fields<'a>(
    provider: Provider,
    client: &Client<'a>,
    addresses: &Addresses,
    code: &'a str,
    secrets: &'a Secrets,
    now: DateTime<Utc>,
) -> Result<ExchangeFields<'a>, Failure> {
    let secret = match provider {
        Provider::Apple => Cow::Owned(apple::client_secret(client.secret, client.id, &addresses.issuer, now)?),
        _ => Cow::Borrowed(client.secret),
    };
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", client.redirect_uri),
        ("client_id", client.id),
    ];
    if provider.uses_pkce() {
        fields.push(("code_verifier", secrets.verifier.as_str()));
    }
    Ok(ExchangeFields { fields, secret, basic: provider == Provider::X })
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
#[must_use]
pub fn text(value: &Value, name: &str) -> Option<String> {
    match &value[name] {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Whether a provider says of an address that it is not proven. Some say so in words.
#[must_use]
pub fn denies(verified: &Value) -> bool {
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
    fn an_identity_is_the_same_after_it_was_passed_on() {
        for provider in Provider::ALL {
            let profile = json!({"id": "7", "email": "a@b.co", "name": "Ada", "username": "ada", "global_name": "Ada L",
                "displayName": "Ada M", "mail": "m@b.co", "login": "adal", "profile_image_url": "https://a.b/i.png",
                "avatar": "https://a.b/i.png", "avatar_url": "https://a.b/i.png"});
            let identity = from_profile(provider, profile).expect("an identity");
            let passed_on = from_profile(provider, to_profile(&identity)).expect("an identity");
            let told = |identity: Identity| {
                (identity.provider, identity.account_id, identity.email, identity.name, identity.avatar_url)
            };
            assert_eq!(told(passed_on), told(identity), "{provider:?}");
        }
        let claims = json!({"sub": "1", "email": "a@b.co", "email_verified": true, "name": "Ada", "picture": "https://a.b/p.png"});
        let identity = from_claims(Provider::Google, claims).expect("an identity");
        let passed_on = from_profile(Provider::Google, to_profile(&identity)).expect("an identity");
        assert_eq!((passed_on.account_id, passed_on.avatar_url), (identity.account_id, identity.avatar_url));
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
