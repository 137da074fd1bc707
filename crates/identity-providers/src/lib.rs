//! The built-in identity providers: where they are, how a sign-in through one begins, and how its answer becomes an identity.
//!
//! Data planes sign in with a project's own clients, the control plane with the clients that the operator shares; both do it through here.

mod apple;
mod authorization;
mod calls;
mod identities;
pub mod key_sets;
mod provider;

pub use authorization::{Secrets, authorization_url, challenge_of};
pub use calls::{Calls, Failure, LIMITS, get};
pub use identities::{Identity, denies, from_claims, from_profile, identify, text, to_profile, verified_claims};
pub use key_sets::KeySets;
pub use provider::{Addresses, EndpointOverrides, Endpoints, Provider};

/// A client that a provider knows.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its secret; Apple's is JSON with team, key id and private key.
    pub secret: &'a str,
    /// Scopes to ask for; none means the provider's default.
    pub scopes: &'a [String],
    /// Where the provider sends the browser back to.
    pub redirect_uri: &'a str,
}
