//! Signing in, the refresh cookie, user API keys and organizations.

use serde_json::json;
use tests::{Api, Cloud};

#[tokio::test]
async fn the_first_user_signs_in_and_makes_keys() {
    let cloud = Cloud::start().await;
    let announcement = cloud.announcement().clone();
    let stranger = Api::new(&announcement.api_url, None);

    let login = json!({ "email": announcement.admin.email, "password": announcement.admin.password });
    let reply = stranger.post("/auth/v1/login", &login).await;
    let cookie = reply.header("set-cookie").expect("a refresh cookie").to_owned();
    assert!(cookie.starts_with("refreshToken=") && cookie.contains("HttpOnly"), "{cookie}");
    let body = reply.expect(200);
    assert_eq!(body["user"]["email"], announcement.admin.email.as_str());
    let signed_in = stranger.with_token(body["token"].as_str().expect("a token"));

    let profile = signed_in.get("/auth/v1/profile").await.expect(200);
    for field in ["id", "email", "name", "email_verified", "created_at"] {
        assert!(!profile["user"][field].is_null(), "{field} in {profile}");
    }
    assert_eq!(profile["user"]["profile"]["name"], profile["user"]["name"]);

    let wrong =
        stranger.post("/auth/v1/login", &json!({ "email": announcement.admin.email, "password": "guess" })).await;
    assert_eq!((wrong.status, wrong.body["error"].as_str()), (401, Some("Invalid email or password")));
    let unknown = stranger.post("/auth/v1/login", &json!({ "email": "nobody@example.com", "password": "guess" })).await;
    assert_eq!(unknown.body["error"], wrong.body["error"], "whether the e-mail exists is not told");

    keys_live_and_die(&signed_in, &stranger).await;
    cloud.finish().await;
}

async fn keys_live_and_die(signed_in: &Api, stranger: &Api) {
    let made = signed_in.post("/auth/v1/api-keys", &json!({ "name": "robot" })).await.expect(201);
    let key = made["key"].as_str().expect("the key is shown once").to_owned();
    assert!(key.starts_with("uak_"), "{made}");
    let robot = stranger.with_token(&key);
    assert_eq!(robot.get("/auth/v1/profile").await.status, 200);

    let listed = robot.get("/auth/v1/api-keys").await.expect(200);
    assert!(!listed.to_string().contains(&key), "a key is never shown again");
    let row = listed["api_keys"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|row| row["name"] == "robot")
        .unwrap_or_else(|| panic!("robot in {listed}"));
    let path = format!("/auth/v1/api-keys/{}", row["id"].as_str().expect("an id"));
    let _ = signed_in.delete(&path).await.ok();
    assert_eq!(robot.get("/auth/v1/profile").await.status, 401, "a revoked key is worth nothing");
}

#[tokio::test]
async fn organizations_are_made_renamed_and_deleted() {
    let cloud = Cloud::start().await;
    let api = cloud.api();
    let made = api.post("/organizations/v1", &json!({ "name": "Workshop", "type": "team" })).await.ok();
    let organization = &made["organization"];
    assert_eq!((&organization["name"], &organization["type"]), (&json!("Workshop"), &json!("team")));
    let path = format!("/organizations/v1/{}", organization["id"].as_str().expect("an id"));
    let renamed = api.put(&path, &json!({ "name": "Studio" })).await.expect(200);
    assert_eq!(
        (&renamed["organization"]["name"], &renamed["organization"]["type"]),
        (&json!("Studio"), &json!("team"))
    );

    let listed = api.get("/organizations/v1").await.expect(200);
    assert_eq!(listed["organizations"].as_array().map(Vec::len), Some(2), "{listed}");
    let deleted = api.delete(&path).await.ok();
    assert_eq!(deleted["organizationId"], organization["id"]);
    assert_eq!(api.get(&format!("{path}/projects")).await.status, 404);
    assert_eq!(api.get("/organizations/v1").await.expect(200)["organizations"].as_array().map(Vec::len), Some(1));
    cloud.finish().await;
}
