//! Sessions of browsers and of everybody else, and administrators' sessions.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{ADMIN, ANON_KEY, API_KEY, Plane};

const COOKIE: &str = "insforge_refresh_token";
const ADMIN_COOKIE: &str = "insforge_admin_refresh_token";

fn value_of(set_cookie: &str) -> String {
    let pair = set_cookie.split(';').next().expect("a cookie");
    pair.split_once('=').expect("a pair").1.to_owned()
}

fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body[name].as_str().unwrap_or_else(|| panic!("{name} in {body}"))
}

#[tokio::test]
async fn a_browsers_session_is_a_guarded_cookie() {
    let plane = Plane::start().await;
    let account = json!({"email": "ada@example.org", "password": "a good password"});
    let signed_up = plane.post("/api/auth/users?client_type=anything", ANON_KEY, &account).await;
    let cookie = signed_up.cookie(COOKIE).expect("a cookie");
    for attribute in ["Path=/api/auth;", "HttpOnly", "Secure", "SameSite=None", "Max-Age=604800", "Expires="] {
        assert!(cookie.contains(attribute), "{attribute} in {cookie}");
    }
    let body = signed_up.expect(200);
    assert_eq!((&body["requireEmailVerification"], &body["refreshToken"]), (&json!(false), &Value::Null));
    let csrf = text(&body, "csrfToken").to_owned();
    let pair = format!("{COOKIE}={}", value_of(&cookie));

    let refresh =
        async |headers: &[(&str, &str)]| plane.call(Method::POST, "/api/auth/refresh", "", None, headers).await;
    let refused = refresh(&[("Cookie", &pair)]).await;
    assert_eq!(refused.refusal(), (403, "FORBIDDEN".to_owned(), "Invalid CSRF token".to_owned()));
    assert_eq!(refused.cookie(COOKIE), None, "the cookie is kept");
    let other = refresh(&[("Cookie", &pair), ("X-CSRF-Token", &"0".repeat(64))]).await;
    assert_eq!(other.status, 403);
    let refreshed = refresh(&[("Cookie", &pair), ("X-CSRF-Token", &csrf)]).await;
    let rotated = format!("{COOKIE}={}", value_of(&refreshed.cookie(COOKIE).expect("a new cookie")));
    assert_eq!(text(&refreshed.expect(200), "csrfToken"), csrf, "the same over a session's rotations");
    // Refresh tokens are stateless: the one before stays good for its own lifetime.
    for pair in [&pair, &rotated] {
        refresh(&[("Cookie", pair), ("X-CSRF-Token", &csrf)]).await.expect(200);
    }
    let broken = refresh(&[("Cookie", &format!("{pair}x")), ("X-CSRF-Token", &csrf)]).await;
    assert_eq!(broken.refusal().2, "Invalid or expired refresh token");
    assert!(broken.cookie(COOKIE).expect("cleared").contains("Expires=Thu, 01 Jan 1970 00:00:00 GMT"));

    let logout = async |headers: &[(&str, &str)]| plane.call(Method::POST, "/api/auth/logout", "", None, headers).await;
    assert_eq!(logout(&[("Cookie", &pair)]).await.status, 403);
    let out = logout(&[("Cookie", &pair), ("X-CSRF-Token", &csrf)]).await;
    assert!(out.cookie(COOKIE).expect("cleared").starts_with(&format!("{COOKIE}=;")));
    assert_eq!(out.expect(200), json!({"success": true, "message": "Logged out successfully"}));
    logout(&[("Cookie", &format!("{COOKIE}=nonsense"))]).await.expect(200);
    logout(&[]).await.expect(200);
}

#[tokio::test]
async fn other_clients_keep_their_refresh_token_themselves() {
    let plane = Plane::start().await;
    let account = json!({"email": "ada@example.org", "password": "a good password"});
    plane.post("/api/auth/users", ANON_KEY, &account).await.expect(200);
    for kind in ["mobile", "desktop", "server"] {
        let signed_in = plane.post(&format!("/api/auth/sessions?client_type={kind}"), "", &account).await;
        assert_eq!(signed_in.cookie(COOKIE), None);
        let body = signed_in.expect(200);
        assert_eq!(body["csrfToken"], Value::Null);
        let token = text(&body, "refreshToken");
        let path = format!("/api/auth/refresh?client_type={kind}");
        let refreshed = plane.post(&path, "", &json!({"refreshToken": token})).await.expect(200);
        plane.post(&path, "", &json!({"refresh_token": text(&refreshed, "refreshToken")})).await.expect(200);
        let access = text(&refreshed, "accessToken");
        assert_eq!(
            plane.get("/api/auth/sessions/current", access).await.expect(200)["user"]["email"],
            "ada@example.org"
        );
        let wrong = plane.post(&path, "", &json!({"refreshToken": access})).await;
        assert_eq!(wrong.status, 401);
        // A refresh token opens nothing by itself.
        assert_eq!(plane.get("/api/auth/sessions/current", token).await.status, 401);
    }
    let id = {
        let body = plane.post("/api/auth/sessions?client_type=server", "", &account).await.expect(200);
        let token = text(&body, "refreshToken").to_owned();
        let deleted = json!({"userIds": [body["user"]["id"]]});
        let reply = plane.call(Method::DELETE, "/api/auth/users", API_KEY, Some(&deleted), &[]).await.expect(200);
        assert_eq!(reply, json!({"message": "Users deleted successfully", "deletedCount": 1}));
        let gone = plane.post("/api/auth/refresh?client_type=server", "", &json!({"refreshToken": token})).await;
        assert_eq!(gone.refusal(), (401, "AUTH_UNAUTHORIZED".to_owned(), "User not found".to_owned()));
        text(&body["user"], "id").to_owned()
    };
    assert_eq!(plane.get(&format!("/api/auth/users/{id}"), API_KEY).await.status, 404);
}

#[tokio::test]
async fn administrators_have_sessions_of_their_own() {
    let plane = Plane::start().await;
    let (username, password) = ADMIN;
    let wrong = plane.post("/api/auth/admin/sessions", "", &json!({"username": username, "password": "no"})).await;
    assert_eq!(wrong.refusal(), (401, "AUTH_UNAUTHORIZED".to_owned(), "Invalid admin credentials".to_owned()));
    let nameless = plane.post("/api/auth/admin/sessions", "", &json!({"username": " ", "password": password})).await;
    assert_eq!(nameless.refusal().2, "username: String must contain at least 1 character(s)");
    let spaced = format!(" {username} ");
    let signed_in =
        plane.post("/api/auth/admin/sessions", "", &json!({"username": spaced, "password": password})).await;
    let cookie = signed_in.cookie(ADMIN_COOKIE).expect("a cookie");
    assert!(cookie.contains("Path=/api/auth/admin;") && cookie.contains("HttpOnly") && cookie.contains("Secure"));
    let body = signed_in.expect(200);
    assert_eq!(body["admin"], json!({"sub": format!("local:{username}")}));
    let (access, csrf) = (text(&body, "accessToken"), text(&body, "csrfToken"));
    let current = plane.get("/api/auth/admin/sessions/current", access).await.expect(200);
    assert_eq!(current, json!({"admin": {"sub": format!("local:{username}")}}));
    plane.get("/api/auth/config", access).await.expect(200);
    assert_eq!(plane.get("/api/auth/sessions/current", access).await.refusal().2, "User not authenticated");

    let pair = format!("{ADMIN_COOKIE}={}", value_of(&cookie));
    let refresh =
        async |headers: &[(&str, &str)]| plane.call(Method::POST, "/api/auth/admin/refresh", "", None, headers).await;
    assert_eq!(refresh(&[("Cookie", &pair)]).await.status, 403);
    let refreshed = refresh(&[("Cookie", &pair), ("X-CSRF-Token", csrf)]).await.expect(200);
    assert_eq!(text(&refreshed, "csrfToken"), csrf);
    // An end user's token in the administrator's cookie, and the other way round, is of the wrong kind.
    let crossed = format!("{COOKIE}={}", value_of(&cookie));
    let user =
        plane.call(Method::POST, "/api/auth/refresh", "", None, &[("Cookie", &crossed), ("X-CSRF-Token", csrf)]).await;
    assert_eq!(user.refusal().2, "Invalid refresh session type");
    let out = plane
        .call(Method::POST, "/api/auth/admin/logout", "", None, &[("Cookie", &pair), ("X-CSRF-Token", csrf)])
        .await;
    assert!(out.cookie(ADMIN_COOKIE).is_some());
    out.expect(200);
}

#[tokio::test]
async fn users_are_listed_and_profiles_merged() {
    let plane = Plane::start().await;
    for name in ["ada", "bob", "cyd"] {
        let account = json!({"email": format!("{name}@example.org"), "password": "a good password", "name": name, "autoConfirm": true, "id": "ignored"});
        let made = plane.post("/api/auth/users", API_KEY, &account).await;
        assert_eq!(made.cookie(COOKIE), None);
        let body = made.expect(200);
        assert_eq!((&body["csrfToken"], &body["user"]["emailVerified"]), (&Value::Null, &json!(true)));
    }
    let listed = plane.get("/api/auth/users?limit=2&offset=1", API_KEY).await.expect(200);
    assert_eq!(listed["pagination"], json!({"offset": 1, "limit": 2, "total": 3}));
    let emails: Vec<&Value> = listed["data"].as_array().expect("a list").iter().map(|user| &user["email"]).collect();
    assert_eq!(emails, ["bob@example.org", "ada@example.org"]);
    let found = plane.get("/api/auth/users?search=cy", API_KEY).await.expect(200);
    assert_eq!(found["pagination"]["total"], 1);
    assert_eq!(found["data"][0]["profile"], json!({"name": "cyd"}));
    let session = plane
        .post(
            "/api/auth/sessions?client_type=server",
            "",
            &json!({"email": "CYD@example.org", "password": "a good password"}),
        )
        .await
        .expect(200);
    let access = text(&session, "accessToken");
    let patch = async |profile: Value| {
        plane.call(Method::PATCH, "/api/auth/profiles/current", access, Some(&json!({"profile": profile})), &[]).await
    };
    patch(json!({"a": 1, "name": null})).await.expect(200);
    let merged = patch(json!({"b": {"c": 2}})).await.expect(200);
    assert_eq!(merged["profile"], json!({"name": null, "a": 1, "b": {"c": 2}}));
    let id = text(&merged, "id");
    assert_eq!(plane.get(&format!("/api/auth/profiles/{id}"), "").await.expect(200), merged);
    let admin =
        plane.call(Method::PATCH, "/api/auth/profiles/current", API_KEY, Some(&json!({"profile": {}})), &[]).await;
    assert_eq!(admin.status, 401, "a key is nobody's profile");
}
