//! Passwords: the policy, and hashes of older releases.

use serde_json::json;

use crate::harness::{ANON_KEY, API_KEY, Plane};

#[tokio::test]
async fn older_hashes_are_replaced_at_the_next_sign_in() {
    let plane = Plane::start().await;
    let client = plane.superuser("insforge").await;
    let long = format!("{}{}", "x".repeat(72), "beyond what the older form reads");
    let old = |password: &str| bcrypt::hash(&password.as_bytes()[..password.len().min(72)], 4).expect("a hash");
    for (email, password) in [("old@example.org", "an old password"), ("long@example.org", long.as_str())] {
        client
            .execute("insert into auth.users (email, password) values ($1, $2)", &[&email, &old(password)])
            .await
            .expect("a user");
    }
    let sign_in = async |email: &str, password: &str| {
        plane.post("/api/auth/sessions?client_type=server", "", &json!({"email": email, "password": password})).await
    };
    let stored = async |email: &str| -> String {
        client.query_one("select password from auth.users where email = $1", &[&email]).await.expect("a user").get(0)
    };
    assert_eq!(sign_in("old@example.org", "another").await.status, 401);
    assert!(stored("old@example.org").await.starts_with("$2"), "a wrong password changes nothing");
    for _ in 0..2 {
        sign_in("old@example.org", "an old password").await.expect(200);
        assert!(stored("old@example.org").await.starts_with("$argon2id$"));
    }
    // What only the newer form reads counts from the first sign-in on.
    sign_in("long@example.org", &long).await.expect(200);
    assert_eq!(sign_in("long@example.org", &long[..72]).await.status, 401);
    sign_in("long@example.org", &long).await.expect(200);

    plane
        .post("/api/auth/users", ANON_KEY, &json!({"email": "new@example.org", "password": "a new password"}))
        .await
        .expect(200);
    assert!(stored("new@example.org").await.starts_with("$argon2id$"));
}

#[tokio::test]
async fn the_policy_counts_for_new_passwords_only() {
    let plane = Plane::start().await;
    let account = json!({"email": "ada@example.org", "password": "simple"});
    plane.post("/api/auth/users", ANON_KEY, &account).await.expect(200);
    let policy =
        json!({"passwordMinLength": 8, "requireNumber": true, "requireUppercase": true, "requireSpecialChar": true});
    let config = plane.put("/api/auth/config", API_KEY, &policy).await.expect(200);
    assert_eq!(config["passwordMinLength"], 8);
    assert_ne!(config["id"], "00000000-0000-0000-0000-000000000000");
    plane.post("/api/auth/sessions", "", &account).await.expect(200);
    let weak = plane.post("/api/auth/users", ANON_KEY, &json!({"email": "b@example.org", "password": "simple"})).await;
    assert_eq!(
        weak.refusal().2,
        "Password must contain at least 8 characters long, at least one number, at least one uppercase letter, at least one special character"
    );
    plane
        .post("/api/auth/users", ANON_KEY, &json!({"email": "b@example.org", "password": "S1mple!!"}))
        .await
        .expect(200);
    plane.put("/api/auth/config", API_KEY, &json!({"disableSignup": true})).await.expect(200);
    let closed =
        plane.post("/api/auth/users", ANON_KEY, &json!({"email": "c@example.org", "password": "S1mple!!"})).await;
    assert_eq!(
        closed.refusal(),
        (403, "AUTH_SIGNUP_DISABLED".to_owned(), "User signups are disabled for this project.".to_owned())
    );
    plane
        .post("/api/auth/users", API_KEY, &json!({"email": "c@example.org", "password": "S1mple!!"}))
        .await
        .expect(200);
}
