//! Typed identifiers: newtypes over UUID, made by us before any outside effect, and the app key that becomes a DNS label.

use std::{fmt, str::FromStr};

use rand::Rng as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, ordered by time so that indexes stay dense.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id behind an existing UUID.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID itself, for storage and the wire.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }
    )*};
}

uuid_id! {
    /// A person who signs in to the control plane.
    UserId;
    /// An organization: the owner of projects and the unit of billing.
    OrganizationId;
    /// A user's membership of an organization.
    MemberId;
    /// A project, or a branch: branches are projects and share this id space.
    ProjectId;
    /// One durable operation; also the id of the saga that carries it out.
    OperationId;
    /// A user API key (`uak_…`).
    ApiKeyId;
    /// One refresh-token family of a signed-in user.
    SessionId;
    /// One audit row.
    AuditId;
    /// One process that runs operations.
    WorkerId;
    /// One secret of a partner.
    PartnerSecretId;
    /// A person as a partner knows them.
    PartnerUserId;
    /// Something that happened and is told; also the id under which it is delivered.
    EventId;
    /// A receiver of events.
    WebhookEndpointId;
    /// One secret of a receiver of events.
    WebhookSecretId;
    /// One event on its way to one receiver.
    WebhookDeliveryId;
}

/// A partner, `ps_` and 32 hexadecimal digits in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PartnerId(Uuid);

/// A text that is not a partner's id.
#[derive(Debug, thiserror::Error)]
#[error("a partner's id is 'ps_' and 32 hexadecimal digits")]
pub struct InvalidPartnerId;

const PARTNER_PREFIX: &str = "ps_";

impl PartnerId {
    /// A new id.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// The UUID itself, for storage.
    #[must_use]
    pub const fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl fmt::Display for PartnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PARTNER_PREFIX}{}", self.0.simple())
    }
}

impl fmt::Debug for PartnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartnerId({self})")
    }
}

impl FromStr for PartnerId {
    type Err = InvalidPartnerId;

    fn from_str(text: &str) -> Result<Self, InvalidPartnerId> {
        let digits = text.strip_prefix(PARTNER_PREFIX).filter(|digits| digits.len() == 32).ok_or(InvalidPartnerId)?;
        Uuid::try_parse(digits).map(Self).map_err(|_| InvalidPartnerId)
    }
}

impl TryFrom<String> for PartnerId {
    type Error = InvalidPartnerId;

    fn try_from(text: String) -> Result<Self, InvalidPartnerId> {
        text.parse()
    }
}

impl From<PartnerId> for String {
    fn from(id: PartnerId) -> Self {
        id.to_string()
    }
}

impl From<Uuid> for PartnerId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl From<PartnerId> for Uuid {
    fn from(id: PartnerId) -> Self {
        id.0
    }
}

/// The DNS label of a project: eight characters `[a-z0-9]`; a branch appends `-` and three more to its parent's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppKey(String);

/// A text that is not an app key.
#[derive(Debug, thiserror::Error)]
#[error("an app key is 8 characters [a-z0-9], for a branch followed by '-' and 3 more")]
pub struct InvalidAppKey;

const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

fn random_label(length: usize) -> String {
    let mut rng = rand::rng();
    (0..length).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect()
}

fn label_has(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| ALPHABET.contains(&byte))
}

impl AppKey {
    /// A random key for a new project.
    #[must_use]
    pub fn generate() -> Self {
        Self(random_label(8))
    }

    /// A random key for a branch of the project with this key.
    #[must_use]
    pub fn generate_branch(&self) -> Self {
        Self(format!("{}-{}", self.project_label(), random_label(3)))
    }

    /// The part a branch shares with its parent.
    #[must_use]
    pub fn project_label(&self) -> &str {
        self.0.split('-').next().unwrap_or(&self.0)
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AppKey {
    type Error = InvalidAppKey;

    fn try_from(text: String) -> Result<Self, InvalidAppKey> {
        let valid = match text.split_once('-') {
            None => label_has(&text, 8),
            Some((parent, branch)) => label_has(parent, 8) && label_has(branch, 3),
        };
        if valid { Ok(Self(text)) } else { Err(InvalidAppKey) }
    }
}

impl FromStr for AppKey {
    type Err = InvalidAppKey;

    fn from_str(text: &str) -> Result<Self, InvalidAppKey> {
        Self::try_from(text.to_owned())
    }
}

impl From<AppKey> for String {
    fn from(key: AppKey) -> Self {
        key.0
    }
}

impl fmt::Display for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_keys_round_trip_and_refuse_other_text() {
        let key = AppKey::generate();
        let branch = key.generate_branch();
        assert_eq!(branch.project_label(), key.as_str());
        assert_eq!(branch.as_str().parse::<AppKey>().expect("own output"), branch);
        for text in ["", "abc", "ABCDEFGH", "abcdefgh-", "abcdefgh-abcd", "abcdefgh-ab-", "abcd.fgh"] {
            assert!(text.parse::<AppKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn ids_are_distinct_and_round_trip() {
        let id = ProjectId::generate();
        assert_ne!(id, ProjectId::generate());
        assert_eq!(id.to_string().parse::<ProjectId>().expect("own output"), id);
        let partner = PartnerId::generate();
        assert_eq!(partner.to_string().parse::<PartnerId>().expect("own output"), partner);
        for text in ["", "ps_", "ps_1", &partner.as_uuid().to_string(), &format!("px_{}", partner.as_uuid().simple())] {
            assert!(text.parse::<PartnerId>().is_err(), "{text}");
        }
    }
}
