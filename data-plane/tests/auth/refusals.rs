//! Every refusal of a credential, and the texts of refused bodies.

use jsonwebtoken::{EncodingKey, Header, encode};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{ANON_KEY, API_KEY, JWT_SECRET, Plane};

/// Path, method, headers, and the refusal with its status, code and message.
type Case = (&'static str, Method, Vec<(&'static str, String)>, (u16, String, String));

fn signed(claims: &Value, secret: &str) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(secret.as_bytes())).expect("a token")
}

#[tokio::test]
async fn each_bad_credential_has_its_own_code() {
    let plane = Plane::start().await;
    let future = 4_000_000_000_u64;
    let user = signed(
        &json!({"sub": "3f0e9e1a-0000-4000-8000-000000000001", "role": "authenticated", "exp": future}),
        JWT_SECRET,
    );
    let expired = signed(&json!({"sub": "u", "role": "authenticated", "exp": 1}), JWT_SECRET);
    let foreign = signed(&json!({"sub": "u", "role": "project_admin", "exp": future}), "another secret");
    let nobody = signed(&json!({"role": "authenticated", "exp": future}), JWT_SECRET);
    let odd = signed(&json!({"sub": "u", "role": "postgres", "exp": future}), JWT_SECRET);
    let unsigned = {
        let mut parts = user.split('.');
        format!("eyJhbGciOiJub25lIn0.{}.", parts.nth(1).expect("claims"))
    };
    let refused = |code: &str, message: &str| (401, code.to_owned(), message.to_owned());
    let unauthorized = |message: &str| refused("AUTH_UNAUTHORIZED", message);
    let invalid = |message: &str| refused("AUTH_INVALID_CREDENTIALS", message);
    let forbidden = |message: &str| (403, "AUTH_UNAUTHORIZED".to_owned(), message.to_owned());
    let bad_key = refused("AUTH_INVALID_API_KEY", "Invalid API key");

    let records = "/api/database/records/t";
    let current = "/api/auth/sessions/current";
    let config = "/api/auth/config";
    let cases: Vec<Case> = vec![
        (records, Method::GET, vec![], invalid("No token provided")),
        (records, Method::GET, vec![("authorization", "bearer x".into())], invalid("No token provided")),
        (records, Method::GET, vec![("authorization", "Bearer anon_wrong".into())], invalid("Invalid anon key")),
        (records, Method::GET, vec![("authorization", "Bearer ik_wrong".into())], bad_key.clone()),
        (
            records,
            Method::GET,
            vec![("x-api-key", "anything".into()), ("authorization", format!("Bearer {user}"))],
            bad_key.clone(),
        ),
        (records, Method::GET, vec![("authorization", format!("Bearer {expired}"))], unauthorized("Invalid token")),
        (records, Method::GET, vec![("authorization", format!("Bearer {foreign}"))], unauthorized("Invalid token")),
        (records, Method::GET, vec![("authorization", format!("Bearer {unsigned}"))], unauthorized("Invalid token")),
        (records, Method::GET, vec![("authorization", "Bearer garbage".into())], unauthorized("Invalid token")),
        (
            records,
            Method::GET,
            vec![("authorization", format!("Bearer {nobody}"))],
            unauthorized("Invalid token subject"),
        ),
        (records, Method::GET, vec![("authorization", format!("Bearer {odd}"))], forbidden("Invalid user role claim")),
        (current, Method::GET, vec![], invalid("No token provided")),
        (current, Method::GET, vec![("authorization", format!("Bearer {ANON_KEY}"))], unauthorized("Invalid token")),
        (current, Method::GET, vec![("authorization", format!("Bearer {user}"))], invalid("User not found")),
        (config, Method::GET, vec![], invalid("No admin token provided")),
        (config, Method::GET, vec![("authorization", format!("Bearer {ANON_KEY}"))], unauthorized("Invalid token")),
        (config, Method::GET, vec![("authorization", format!("Bearer {expired}"))], unauthorized("Invalid token")),
        (config, Method::GET, vec![("authorization", format!("Bearer {user}"))], forbidden("Admin access required")),
        (config, Method::GET, vec![("authorization", format!("Bearer {odd}"))], forbidden("Admin access required")),
        (config, Method::GET, vec![("x-api-key", "ik_wrong".into())], bad_key.clone()),
        ("/api/usage/mcp", Method::POST, vec![], refused("AUTH_INVALID_API_KEY", "No API key provided")),
        (
            "/api/usage/mcp",
            Method::POST,
            vec![("authorization", format!("Bearer {user}"))],
            refused("AUTH_INVALID_API_KEY", "No API key provided"),
        ),
        (
            "/api/auth/admin/sessions/current",
            Method::GET,
            vec![("authorization", format!("Bearer {user}"))],
            forbidden("Admin access required"),
        ),
        ("/api/auth/refresh", Method::POST, vec![], unauthorized("No refresh token provided")),
        (
            "/api/auth/refresh",
            Method::POST,
            vec![("cookie", format!("insforge_refresh_token={user}"))],
            unauthorized("Invalid refresh token type"),
        ),
        (
            "/api/auth/refresh",
            Method::POST,
            vec![("cookie", "insforge_refresh_token=x".into())],
            unauthorized("Invalid or expired refresh token"),
        ),
        ("/api/auth/admin/refresh", Method::POST, vec![], unauthorized("No admin refresh token provided")),
    ];
    for (path, method, headers, expected) in cases {
        let borrowed: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let reply = plane.call(method, path, "", None, &borrowed).await;
        assert_eq!(reply.refusal(), expected, "{path} {borrowed:?}");
    }
    // The key in its own header wins over the bearer, in both directions.
    let headers = [("x-api-key", API_KEY), ("authorization", "Bearer garbage")];
    plane.call(Method::GET, config, "", None, &headers).await.expect(200);
}

#[tokio::test]
async fn refused_bodies_say_what_is_wrong() {
    let plane = Plane::start().await;
    let long = "n".repeat(101);
    let cases = [
        (Method::POST, "/api/auth/users", json!({}), "email: Required, password: Required"),
        (
            Method::POST,
            "/api/auth/users",
            json!({"email": " a@b.co", "password": 5}),
            "email: Invalid email format, password: Expected string, received number",
        ),
        (
            Method::POST,
            "/api/auth/users",
            json!({"email": "a@b.co", "password": "abcdef", "name": "  "}),
            "name: Name is required",
        ),
        (
            Method::POST,
            "/api/auth/users",
            json!({"email": "a@b.co", "password": "abcdef", "name": long}),
            "name: Name must be less than 100 characters",
        ),
        (
            Method::POST,
            "/api/auth/users",
            json!({"email": "a@b.co", "password": "abcdef", "redirectTo": "x", "autoConfirm": 1}),
            "redirectTo: Invalid url, autoConfirm: Expected boolean, received number",
        ),
        (
            Method::POST,
            "/api/auth/users",
            json!({"email": "a@b.co", "password": "abc"}),
            "Password must contain at least 6 characters long",
        ),
        (
            Method::POST,
            "/api/auth/sessions",
            json!({"method": "magic"}),
            "method: Invalid discriminator value. Expected 'password' | 'otp'",
        ),
        (
            Method::POST,
            "/api/auth/sessions",
            json!({"method": "otp", "email": "a@b.co", "otp": "12"}),
            "otp: OTP code must be a 6-digit numeric code",
        ),
        (Method::POST, "/api/auth/refresh?client_type=mobile", json!({}), "refreshToken: Required"),
        (
            Method::POST,
            "/api/auth/oauth/exchange",
            json!({"code": "x", "code_verifier": "short"}),
            "code_verifier: String must contain at least 43 character(s)",
        ),
        (Method::GET, "/api/auth/profiles/not-a-uuid", json!(null), "Invalid user ID format"),
        (Method::GET, "/api/auth/users/not-a-uuid", json!(null), "Invalid user ID format"),
        (Method::GET, "/api/auth/users?limit=0", json!(null), "limit: Number must be greater than or equal to 1"),
        (Method::DELETE, "/api/auth/users", json!({"userIds": ["x"]}), "userIds.0: Invalid user ID format"),
        (
            Method::PUT,
            "/api/auth/config",
            json!({"passwordMinLength": 3}),
            "passwordMinLength: Number must be greater than or equal to 4",
        ),
        (
            Method::PUT,
            "/api/auth/config",
            json!({"passwordMinLength": 129}),
            "passwordMinLength: Number must be less than or equal to 128",
        ),
        (
            Method::PUT,
            "/api/auth/config",
            json!({"verifyEmailMethod": "sms"}),
            "verifyEmailMethod: Invalid enum value. Expected 'code' | 'link', received 'sms'",
        ),
        (
            Method::PUT,
            "/api/auth/config",
            json!({"allowedRedirectUrls": ["https://ok.example", "javascript://x"]}),
            "allowedRedirectUrls.1: Invalid URL or wildcard URL",
        ),
        (Method::PUT, "/api/auth/smtp-config", json!({}), "enabled: Required, port: Required"),
        (
            Method::PUT,
            "/api/auth/email-templates/request-otp",
            json!({"subject": ""}),
            "subject: Subject is required, bodyHtml: Required",
        ),
        (Method::GET, "/api/auth/oauth/custom/NO/config", json!(null), "Invalid custom OAuth key"),
    ];
    for (method, path, body, message) in cases {
        let body = (!body.is_null()).then_some(&body);
        let reply = plane.call(method, path, API_KEY, body, &[]).await;
        assert_eq!(reply.refusal(), (400, "INVALID_INPUT".to_owned(), message.to_owned()), "{path}");
    }
    for (path, code, message) in [
        ("/api/auth/users/3f0e9e1a-0000-4000-8000-000000000001", "AUTH_USER_NOT_FOUND", "User does not exist"),
        ("/api/auth/profiles/3f0e9e1a-0000-4000-8000-000000000001", "AUTH_USER_NOT_FOUND", "User not found"),
        ("/api/auth/oauth/google/config", "AUTH_OAUTH_CONFIG_NOT_FOUND", "OAuth configuration for google not found"),
    ] {
        assert_eq!(plane.get(path, API_KEY).await.refusal(), (404, code.to_owned(), message.to_owned()));
    }
    let not_configured =
        format!("/api/auth/oauth/google?redirect_uri=https://a.example&code_challenge={}", "c".repeat(43));
    assert_eq!(
        plane.get(&not_configured, "").await.refusal(),
        (
            500,
            "AUTH_OAUTH_CONFIG_ERROR".to_owned(),
            "google OAuth is not properly configured. Please check your oauth configurations.".to_owned()
        )
    );
    let audits = plane.superuser("insforge").await.query("select from system.audit_logs", &[]).await.expect("rows");
    assert!(audits.is_empty(), "a refused change leaves no audit row");
}
