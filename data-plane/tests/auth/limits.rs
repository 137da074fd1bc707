//! Rate limits and their headers, and guessing.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{API_KEY, Plane, Reply};

fn limit_headers(reply: &Reply) -> [&str; 3] {
    ["ratelimit-policy", "ratelimit-limit", "ratelimit-remaining"].map(|name| reply.header(name))
}

#[tokio::test]
async fn limited_routes_say_so() {
    let plane = Plane::start().await;
    let send = async |path: &str, body: Value, client: &str| {
        plane.call(Method::POST, path, "", Some(&body), &[("X-Forwarded-For", client)]).await
    };
    // Invalid requests count, and the three routes share one budget.
    let routes = ["send-otp", "send-verification", "send-reset-password", "send-otp", "send-verification"];
    for (used, route) in routes.iter().enumerate() {
        let reply = send(&format!("/api/auth/email/{route}"), json!({}), "192.0.2.1").await;
        assert_eq!(reply.refusal().2, "email: Required");
        assert_eq!(limit_headers(&reply), ["5;w=900", "5", &(4 - used).to_string()]);
        assert_eq!(reply.header("retry-after"), "");
    }
    let over = send("/api/auth/email/send-otp", json!({"email": "a@b.co"}), "192.0.2.1").await;
    assert_eq!(
        over.refusal(),
        (
            429,
            "TOO_MANY_REQUESTS".to_owned(),
            "Too many send email verification requests from this IP. Please try again in 15 minutes.".to_owned()
        )
    );
    let wait: i64 = over.header("retry-after").parse().expect("seconds");
    assert!((1..=900).contains(&wait) && over.header("ratelimit-reset") == wait.to_string());
    assert_eq!(send("/api/auth/email/send-otp", json!({}), "192.0.2.2").await.status, 400, "another client");

    // The wait per address begins before the body is looked at, and does not care for case.
    let first = send("/api/auth/email/send-otp", json!({"email": "Wait@example"}), "192.0.2.3").await;
    assert_eq!(first.refusal().2, "email: Invalid email format");
    let second = send("/api/auth/email/send-reset-password", json!({"email": "wait@EXAMPLE"}), "192.0.2.3").await;
    assert_eq!((second.refusal().0, second.refusal().1.as_str()), (429, "TOO_MANY_REQUESTS"));
    assert!(second.refusal().2.ends_with("seconds before requesting another code for this email"));
    assert_eq!(limit_headers(&second), ["5;w=900", "5", "3"]);

    // Codes: only failures count, and only signing in by code is limited.
    let otp = json!({"method": "otp", "email": "a@b.co", "otp": "123456"});
    for _ in 0..10 {
        assert_eq!(
            send("/api/auth/sessions", otp.clone(), "192.0.2.4").await.refusal().2,
            "Invalid or expired verification code"
        );
    }
    assert_eq!(
        send("/api/auth/sessions", otp, "192.0.2.4").await.refusal().2,
        "Too many verification attempts from this IP. Please try again in 15 minutes."
    );
    assert_eq!(send("/api/auth/email/verify", json!({}), "192.0.2.4").await.status, 429);
    let password = send("/api/auth/sessions", json!({"email": "a@b.co", "password": "x"}), "192.0.2.4").await;
    assert_eq!((password.status, limit_headers(&password)), (401, ["", "", ""]));

    let token = send("/api/auth/id-token", json!({}), "192.0.2.5").await;
    assert_eq!(limit_headers(&token), ["30;w=900", "30", "29"]);
}

#[tokio::test]
async fn a_client_changes_functions_so_often_and_no_more() {
    let plane = Plane::start().await;
    let delete = async |client: &str| {
        plane.call(Method::DELETE, "/api/functions/none", API_KEY, None, &[("X-Forwarded-For", client)]).await
    };
    for used in 0..15 {
        let reply = delete("192.0.2.1").await;
        assert_eq!(reply.refusal().1, "FUNCTION_NOT_FOUND");
        assert_eq!(limit_headers(&reply), ["15;w=300", "15", &(14 - used).to_string()]);
    }
    let over = delete("192.0.2.1").await;
    assert_eq!((over.refusal().0, over.refusal().1.as_str()), (429, "TOO_MANY_REQUESTS"));
    assert_eq!(delete("192.0.2.2").await.status, 404, "another client");
    let read = plane.call(Method::GET, "/api/functions", API_KEY, None, &[("X-Forwarded-For", "192.0.2.1")]).await;
    assert_eq!((read.status, limit_headers(&read)), (200, ["", "", ""]), "reading is not limited");
}

#[tokio::test]
async fn guessing_passwords_ends_and_signing_in_does_not() {
    let plane = Plane::start().await;
    let account = json!({"email": "ada@example.org", "password": "a good password"});
    plane.post("/api/auth/users", API_KEY, &account).await.expect(200);
    let sign_in = async |password: &str, client: &str| {
        let body = json!({"email": "Ada@example.org", "password": password});
        plane.call(Method::POST, "/api/auth/sessions", "", Some(&body), &[("X-Forwarded-For", client)]).await
    };
    for _ in 0..30 {
        assert_eq!(sign_in("wrong", "192.0.2.1").await.status, 401);
    }
    let stopped = sign_in("a good password", "192.0.2.1").await;
    assert_eq!(
        stopped.refusal(),
        (429, "TOO_MANY_REQUESTS".to_owned(), "Too many failed sign-in attempts. Please try again later.".to_owned())
    );
    assert!(!stopped.header("retry-after").is_empty());
    sign_in("a good password", "192.0.2.2").await.expect(200);
    for _ in 0..30 {
        let wrong = json!({"username": "admin@example.org", "password": "wrong"});
        let reply = plane
            .call(Method::POST, "/api/auth/admin/sessions", "", Some(&wrong), &[("X-Forwarded-For", "192.0.2.3")])
            .await;
        assert_eq!(reply.status, 401);
    }
    let right = json!({"username": "admin@example.org", "password": "a-long-password"});
    let stopped = plane
        .call(Method::POST, "/api/auth/admin/sessions", "", Some(&right), &[("X-Forwarded-For", "192.0.2.3")])
        .await;
    assert_eq!(stopped.status, 429);
}
