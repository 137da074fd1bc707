//! Signing keys, tokens of third parties, and rotation of the access keys.

use std::time::{Duration, Instant};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde_json::{Value, json};

use crate::harness::{ANON_KEY, API_KEY, JWT_SECRET, Plane};

#[tokio::test]
async fn access_tokens_verify_against_the_published_key() {
    let mut plane = Plane::start().await;
    let account = json!({"email": "ada@example.org", "password": "a good password"});
    let early = plane.post("/api/auth/users?client_type=server", ANON_KEY, &account).await.expect(200);
    let early = early["accessToken"].as_str().expect("a token").to_owned();
    // The project's own key is made some seconds after the first start.
    let deadline = Instant::now() + Duration::from_secs(30);
    let key = loop {
        let set = plane.get("/.well-known/jwks.json", "").await.expect(200);
        match set["keys"].get(0) {
            Some(key) => break key.clone(),
            None => assert!(Instant::now() < deadline, "no key appears"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!([&key["kty"], &key["alg"], &key["use"]], ["RSA", "RS256", "sig"]);
    assert_eq!(plane.get("/api/.well-known/jwks.json", "").await.expect(200)["keys"][0], key);
    let kid = key["kid"].as_str().expect("an id").to_owned();
    assert!(kid.starts_with("kid_") && kid.len() == 36, "{kid}");

    let session = plane.post("/api/auth/sessions?client_type=server", "", &account).await.expect(200);
    let token = session["accessToken"].as_str().expect("a token");
    let header = decode_header(token).expect("a header");
    assert_eq!((header.alg, header.kid.as_deref()), (Algorithm::RS256, Some(kid.as_str())));
    let text = |name: &str| key[name].as_str().expect("text").to_owned();
    let public = DecodingKey::from_rsa_components(&text("n"), &text("e")).expect("a key");
    let claims: Value = decode(token, &public, &Validation::new(Algorithm::RS256)).expect("a valid token").claims;
    assert_eq!(claims["exp"].as_i64().expect("a time") - claims["iat"].as_i64().expect("a time"), 15 * 60);
    assert_eq!([&claims["email"], &claims["role"]], ["ada@example.org", "authenticated"]);
    let names: Vec<&String> = claims.as_object().expect("claims").keys().collect();
    assert_eq!(names, ["sub", "email", "role", "iat", "exp"]);
    // Tokens from before the key, and from before a restart, stay good.
    plane.restart_with(&[]).await;
    for token in [early.as_str(), token] {
        plane.get("/api/auth/sessions/current", token).await.expect(200);
    }
    assert_eq!(plane.get("/.well-known/jwks.json", "").await.expect(200)["keys"][0], key);
    // Nobody signs with the public key as if it were the shared secret.
    let confused = {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(kid);
        let claims = json!({"sub": "x", "role": "project_admin", "exp": 4_000_000_000_u64});
        encode(&header, &claims, &EncodingKey::from_secret(text("n").as_bytes())).expect("a token")
    };
    assert_eq!(plane.get("/api/auth/config", &confused).await.status, 401);
}

#[tokio::test]
async fn third_parties_sign_with_the_shared_secret() {
    let plane = Plane::start().await;
    plane.post("/api/database/advance/rawsql", API_KEY, &json!({"query": "create table notes (id int, owner text default auth.jwt()->>'sub'); alter table notes enable row level security; create policy own on notes using (owner = auth.jwt()->>'sub')"})).await.expect(200);
    let token = |claims: Value| {
        encode(&Header::default(), &claims, &EncodingKey::from_secret(JWT_SECRET.as_bytes())).expect("a token")
    };
    let user = token(json!({"sub": "user_2abc", "exp": 4_000_000_000_u64}));
    plane.post("/api/database/records/notes", &user, &json!([{"id": 1}])).await.expect(201);
    assert_eq!(
        plane.get("/api/database/records/notes?select=owner", &user).await.expect(200),
        json!([{"owner": "user_2abc"}])
    );
    let admin = token(json!({"sub": "boss", "role": "project_admin", "exp": 4_000_000_000_u64}));
    plane.get("/api/auth/config", &admin).await.expect(200);
    let anon = token(json!({"sub": "anonymous", "role": "anon"}));
    assert_eq!(plane.get("/api/database/records/notes", &anon).await.expect(200), json!([]));
}

#[tokio::test]
async fn access_keys_rotate_with_a_grace_period() {
    let mut plane = Plane::start().await;
    let rotated = plane.post("/api/secrets/api-key/rotate", API_KEY, &json!({"gracePeriodHours": 1})).await.expect(200);
    let new = rotated["apiKey"].as_str().expect("a key").to_owned();
    assert!(new.starts_with("ik_") && new.len() == 67, "{new}");
    for key in [API_KEY, &new] {
        plane.get("/api/auth/config", key).await.expect(200);
    }
    let without = plane.post("/api/secrets/api-key/rotate", &new, &json!({"gracePeriodHours": 0})).await.expect(200);
    let newest = without["apiKey"].as_str().expect("a key");
    assert_eq!(plane.get("/api/auth/config", &new).await.refusal().1, "AUTH_INVALID_API_KEY");
    plane.get("/api/auth/config", newest).await.expect(200);
    plane.get("/api/auth/config", API_KEY).await.expect(200);

    let anon = plane.post("/api/secrets/anon-key/rotate", newest, &json!({})).await.expect(200);
    let anon = anon["anonKey"].as_str().expect("a key");
    for key in [ANON_KEY, anon] {
        assert_eq!(plane.get("/api/database/records/none", key).await.status, 404, "known, but there is no table");
    }
    // An anon key of an old release was a token: it is replaced, and goes on verifying.
    let legacy = encode(
        &Header::default(),
        &json!({"sub": "anonymous", "role": "anon"}),
        &EncodingKey::from_secret(JWT_SECRET.as_bytes()),
    )
    .expect("a token");
    let client = plane.superuser("insforge").await;
    let stored = encrypted(&legacy);
    client
        .execute("update system.secrets set value_ciphertext = $1 where key = 'ANON_KEY'", &[&stored])
        .await
        .expect("an update");
    plane.restart_with(&[]).await;
    let shown = plane.get("/api/metadata/anon-key", newest).await.expect(200);
    assert!(shown["anonKey"].as_str().expect("a key").starts_with("anon_"));
    assert_eq!(plane.get("/api/database/records/none", &legacy).await.status, 404);
}

fn encrypted(plain: &str) -> String {
    let secret = secrecy::SecretString::from(JWT_SECRET);
    hearth_data_plane::encryption::Cipher::new(&secret).encrypt(plain)
}
