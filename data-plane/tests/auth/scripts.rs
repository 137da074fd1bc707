//! The real SDK, real mail and a real provider, in scripts.

use rand::Rng as _;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, SanType};
use serde_json::{Value, json};
use test_ports::free_port;

use crate::harness::{ADMIN, ANON_KEY, API_KEY, JWT_SECRET, Plane};

/// A certificate authority of this test, and a certificate for an address.
struct Certificates {
    root_pem: String,
    certificate_pem: String,
    key_pem: String,
}

fn certificates(address: &str) -> Certificates {
    let root_key = KeyPair::generate().expect("a key");
    let mut root = CertificateParams::new(Vec::new()).expect("no names");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_pem = root.self_signed(&root_key).expect("a certificate").pem();
    let issuer = Issuer::new(root, root_key);
    let key = KeyPair::generate().expect("a key");
    let mut leaf = CertificateParams::new(Vec::new()).expect("no names");
    leaf.subject_alt_names = vec![SanType::IpAddress(address.parse().expect("an address"))];
    let certificate_pem = leaf.signed_by(&key, &issuer).expect("a certificate").pem();
    Certificates { root_pem, certificate_pem, key_pem: key.serialize_pem() }
}

/// The built-in providers' addresses at the provider that a script starts.
fn provider_endpoints(port: u16) -> String {
    let at = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let with_identity_token =
        json!({"authorize": at("/auth"), "token": at("/token"), "keys": at("/jwks"), "issuer": at("")});
    let mut endpoints = serde_json::Map::new();
    for name in ["google", "linkedin", "apple"] {
        endpoints.insert(name.to_owned(), with_identity_token.clone());
    }
    for name in ["github", "discord", "facebook", "microsoft", "x"] {
        let profile = at(&format!("/profile/{name}"));
        endpoints.insert(
            name.to_owned(),
            json!({"authorize": at("/auth"), "token": at("/token"), "profile": profile, "emails": at("/emails")}),
        );
    }
    Value::Object(endpoints).to_string()
}

/// A mail server that a script starts, and what a data plane must trust for it.
struct Mail {
    host: String,
    roots: tempfile::NamedTempFile,
    input: Value,
}

impl Mail {
    fn new() -> Self {
        // Mail servers have fixed ports; an address of its own keeps parallel runs apart.
        let host = {
            let mut random = rand::rng();
            let mut part = |from| random.random_range(from..250);
            format!("127.{}.{}.{}", part(64), part(1), part(1))
        };
        let Certificates { root_pem, certificate_pem, key_pem } = certificates(&host);
        let roots = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(roots.path(), root_pem).expect("a file");
        let input = json!({"host": host, "key": key_pem, "certificate": certificate_pem, "username": "mailer", "password": "the mailer's password"});
        Self { host, roots, input }
    }

    fn roots(&self) -> String {
        self.roots.path().display().to_string()
    }
}

#[tokio::test]
async fn the_sdk_signs_up_and_in_with_what_the_mails_say() {
    let mail = Mail::new();
    let plane = Plane::start_with(&[
        ("HEARTH_OUTBOUND_ALLOW", &format!("{}/32", mail.host)),
        ("HEARTH_OUTBOUND_CA_FILE", &mail.roots()),
    ])
    .await;
    let input = json!({"baseUrl": plane.base, "anonKey": ANON_KEY, "apiKey": API_KEY, "smtp": mail.input});
    plane.script("sign-in.mjs", &input).await;
    // No code, token or password is in the log, and none in plain text in the database.
    let log = plane.log();
    assert!(!log.contains("the mailer's password") && !log.contains("correct horse"), "{log}");
    let client = plane.superuser("insforge").await;
    let plain =
        client.query("select from auth.email_otps where otp_hash !~ '^(\\$2|[0-9a-f]{64}$)'", &[]).await.expect("rows");
    assert!(plain.is_empty());
}

#[tokio::test]
async fn the_sdk_signs_in_through_every_provider() {
    let (provider, hostile) = (free_port(), free_port());
    let plane = Plane::start_with(&[
        ("HEARTH_OUTBOUND_ALLOW", "127.0.0.1"),
        ("HEARTH_OAUTH_ENDPOINTS", &provider_endpoints(provider)),
    ])
    .await;
    let apple = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
    // The public point is the last 64 bytes of the encoded key.
    let point = apple.public_key_raw();
    let coordinates = &point[point.len() - 64..];
    let base64 = |bytes: &[u8]| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
    };
    let public = json!({"kty": "EC", "crv": "P-256", "x": base64(&coordinates[..32]), "y": base64(&coordinates[32..])});
    let input = json!({
        "baseUrl": plane.base,
        "anonKey": ANON_KEY,
        "apiKey": API_KEY,
        "providerPort": provider,
        "hostilePort": hostile,
        "appleKey": {"public": public, "privatePem": apple.serialize_pem()},
    });
    assert_eq!(plane.script("oauth.mjs", &input).await["providers"], 8);
    let client = plane.superuser("insforge").await;
    let stored =
        client.query("select from system.secrets where value_ciphertext like '%-secret%'", &[]).await.expect("rows");
    assert!(stored.is_empty(), "client secrets are encrypted");
}

#[tokio::test]
async fn an_application_that_renders_on_a_server_keeps_the_session() {
    let (mail, provider) = (Mail::new(), free_port());
    let plane = Plane::start_with(&[
        ("HEARTH_OUTBOUND_ALLOW", &format!("127.0.0.1,{}/32", mail.host)),
        ("HEARTH_OUTBOUND_CA_FILE", &mail.roots()),
        ("HEARTH_OAUTH_ENDPOINTS", &provider_endpoints(provider)),
    ])
    .await;
    let input = json!({"baseUrl": plane.base, "anonKey": ANON_KEY, "apiKey": API_KEY, "smtp": mail.input, "providerPort": provider});
    plane.script("rendering.mjs", &input).await;
}

#[tokio::test]
async fn the_sdk_keeps_its_session_and_bears_failures() {
    let plane = Plane::start().await;
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let input = json!({"baseUrl": plane.base, "anonKey": ANON_KEY, "apiKey": API_KEY, "jwtSecret": JWT_SECRET, "nobody": nobody});
    plane.script("client.mjs", &input).await;
}

#[tokio::test]
async fn answers_are_what_the_published_schemas_say() {
    let plane = Plane::start().await;
    let administrator = [ADMIN.0, ADMIN.1];
    let input = json!({"baseUrl": plane.base, "anonKey": ANON_KEY, "apiKey": API_KEY, "administrator": administrator});
    plane.script("schemas.mjs", &input).await;
}
