//! The secrets of a project: made once, sealed at rest, handed only to its own processes. And those of receivers of events.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac as _};
use ids::{ProjectId, WebhookSecretId};
use rand::{TryRngCore as _, rngs::OsRng};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use crate::sealing::{MasterKey, ProjectKey, SealingError, WrappedKey};

/// All secrets of a project or a branch, in the clear.
#[derive(Clone, Debug)]
pub struct ProjectSecrets {
    /// Signs the tokens of the project's own users; a branch shares its parent's.
    pub jwt_secret: SecretString,
    /// Encrypts secrets inside the project's database; a branch shares its parent's.
    pub encryption_key: SecretString,
    /// The admin key, `ik_…`.
    pub api_key: SecretString,
    /// The public key of applications, `anon_…`.
    pub anon_key: SecretString,
    /// Password of the first administrator of the project's own dashboard.
    pub admin_password: SecretString,
    /// Authenticates platform-internal requests between the cloud and this project's data plane.
    pub platform_token: SecretString,
}

/// [`ProjectSecrets`] under the project's own key, and that key under the master key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSecrets {
    /// The project's key, wrapped.
    pub wrapped_key: Vec<u8>,
    /// Sealed [`ProjectSecrets::jwt_secret`].
    pub jwt_secret: Vec<u8>,
    /// Sealed [`ProjectSecrets::encryption_key`].
    pub encryption_key: Vec<u8>,
    /// Sealed [`ProjectSecrets::api_key`].
    pub api_key: Vec<u8>,
    /// Sealed [`ProjectSecrets::anon_key`].
    pub anon_key: Vec<u8>,
    /// Sealed [`ProjectSecrets::admin_password`].
    pub admin_password: Vec<u8>,
    /// Sealed [`ProjectSecrets::platform_token`].
    pub platform_token: Vec<u8>,
}

/// `bytes` random bytes as hex, behind `prefix`.
#[must_use]
pub fn random_token(prefix: &str, bytes: usize) -> SecretString {
    let mut random = vec![0; bytes];
    OsRng.try_fill_bytes(&mut random).expect("the operating system has random bytes");
    SecretString::from(format!("{prefix}{}", hex::encode(random)))
}

/// A new secret of a receiver of events: the key, and the text by which it is told once.
#[must_use]
pub fn webhook_secret() -> (Vec<u8>, SecretString) {
    let mut key = vec![0; 32];
    OsRng.try_fill_bytes(&mut key).expect("the operating system has random bytes");
    let text = SecretString::from(format!("whsec_{}", STANDARD.encode(&key)));
    (key, text)
}

/// What a receiver's secret is sealed for.
#[must_use]
pub fn webhook_context(id: WebhookSecretId) -> String {
    format!("webhook-secret/{id}")
}

/// What a key that signs tokens is sealed for.
#[must_use]
pub fn signing_key_context(id: &str) -> String {
    format!("signing_key/{id}")
}

/// What a project's own key is wrapped for.
#[must_use]
pub fn project_key_context(id: ProjectId) -> String {
    id.to_string()
}

/// The password of the developers' role in a project's Postgres. Derived from the project's platform token, which is sealed wherever it is kept
/// and which no other project or branch has, so that it needs no place of its own; the token cannot be told from it.
#[must_use]
pub fn database_password(platform_token: &SecretString) -> SecretString {
    let mut mac = Hmac::<Sha256>::new_from_slice(platform_token.expose_secret().as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(b"hearth:database_password:v1");
    SecretString::from(hex::encode(mac.finalize().into_bytes()))
}

fn context(project_id: ProjectId, name: &str) -> String {
    format!("{project_id}/{name}")
}

impl ProjectSecrets {
    /// New secrets for a new project.
    #[must_use]
    pub fn generate() -> Self {
        Self {
            jwt_secret: random_token("", 32),
            encryption_key: random_token("", 32),
            api_key: random_token("ik_", 32),
            anon_key: random_token("anon_", 32),
            admin_password: random_token("", 16),
            platform_token: random_token("", 32),
        }
    }

    /// New secrets for a branch: users' tokens and encrypted values of the parent stay valid there, its keys do not.
    #[must_use]
    pub fn for_branch(parent: &Self) -> Self {
        Self {
            jwt_secret: parent.jwt_secret.clone(),
            encryption_key: parent.encryption_key.clone(),
            ..Self::generate()
        }
    }

    /// Seals everything under a new key of the project's own.
    #[must_use]
    pub fn seal(&self, master: &MasterKey, project_id: ProjectId) -> SealedSecrets {
        let (key, wrapped) = master.new_project_key(&project_key_context(project_id));
        let seal = |name: &str, secret: &SecretString| key.seal(&context(project_id, name), secret);
        SealedSecrets {
            wrapped_key: wrapped.0,
            jwt_secret: seal("jwt_secret", &self.jwt_secret),
            encryption_key: seal("encryption_key", &self.encryption_key),
            api_key: seal("api_key", &self.api_key),
            anon_key: seal("anon_key", &self.anon_key),
            admin_password: seal("admin_password", &self.admin_password),
            platform_token: seal("platform_token", &self.platform_token),
        }
    }

    /// Opens what [`Self::seal`] made for the same project.
    ///
    /// # Errors
    /// [`SealingError::CannotOpen`] for another project, another master key, or damage.
    pub fn open(sealed: &SealedSecrets, master: &MasterKey, project_id: ProjectId) -> Result<Self, SealingError> {
        let key = sealed.key(master, project_id)?;
        let open = |name: &str, value: &[u8]| key.open(&context(project_id, name), value);
        Ok(Self {
            jwt_secret: open("jwt_secret", &sealed.jwt_secret)?,
            encryption_key: open("encryption_key", &sealed.encryption_key)?,
            api_key: open("api_key", &sealed.api_key)?,
            anon_key: open("anon_key", &sealed.anon_key)?,
            admin_password: open("admin_password", &sealed.admin_password)?,
            platform_token: open("platform_token", &sealed.platform_token)?,
        })
    }
}

impl SealedSecrets {
    fn key(&self, master: &MasterKey, project_id: ProjectId) -> Result<ProjectKey, SealingError> {
        master.unwrap(&project_key_context(project_id), &WrappedKey(self.wrapped_key.clone()))
    }

    /// Opens only the admin key, for the one route that hands it out.
    ///
    /// # Errors
    /// As [`ProjectSecrets::open`].
    pub fn open_api_key(&self, master: &MasterKey, project_id: ProjectId) -> Result<SecretString, SealingError> {
        self.key(master, project_id)?.open(&context(project_id, "api_key"), &self.api_key)
    }

    /// Opens only the platform token, to recognise a project's own data plane.
    ///
    /// # Errors
    /// As [`ProjectSecrets::open`].
    pub fn open_platform_token(&self, master: &MasterKey, project_id: ProjectId) -> Result<SecretString, SealingError> {
        self.key(master, project_id)?.open(&context(project_id, "platform_token"), &self.platform_token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_open_for_their_project_only_and_a_branch_shares_what_it_must() {
        let master = MasterKey::new(&MasterKey::generate(), None).expect("own output");
        let (parent_id, branch_id) = (ProjectId::generate(), ProjectId::generate());
        let parent = ProjectSecrets::generate();
        let branch = ProjectSecrets::for_branch(&parent);
        assert_eq!(branch.jwt_secret.expose_secret(), parent.jwt_secret.expose_secret());
        assert_eq!(branch.encryption_key.expose_secret(), parent.encryption_key.expose_secret());
        assert_ne!(branch.api_key.expose_secret(), parent.api_key.expose_secret());
        assert_ne!(branch.platform_token.expose_secret(), parent.platform_token.expose_secret());

        let sealed = branch.seal(&master, branch_id);
        let opened = ProjectSecrets::open(&sealed, &master, branch_id).expect("same project");
        assert_eq!(opened.anon_key.expose_secret(), branch.anon_key.expose_secret());
        assert_eq!(
            sealed.open_api_key(&master, branch_id).expect("same project").expose_secret(),
            branch.api_key.expose_secret()
        );
        assert!(ProjectSecrets::open(&sealed, &master, parent_id).is_err());
        let mut swapped = sealed.clone();
        swapped.api_key = sealed.anon_key.clone();
        assert!(ProjectSecrets::open(&swapped, &master, branch_id).is_err());
    }

    #[test]
    fn a_branch_has_a_database_password_of_its_own() {
        let parent = ProjectSecrets::generate();
        let branch = ProjectSecrets::for_branch(&parent);
        let password = |secrets: &ProjectSecrets| database_password(&secrets.platform_token).expose_secret().to_owned();
        assert_eq!(password(&parent), password(&parent));
        assert_ne!(password(&parent), password(&branch));
        assert_ne!(password(&parent), parent.platform_token.expose_secret());
    }

    #[test]
    fn keys_look_as_the_contract_says() {
        let secrets = ProjectSecrets::generate();
        let key = secrets.api_key.expose_secret();
        assert!(key.starts_with("ik_") && key.len() == 67);
        assert!(secrets.anon_key.expose_secret().starts_with("anon_"));
    }
}
