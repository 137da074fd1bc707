//! Sign-ins through the operator's own clients, as far as they need no provider; the rest is tested with a whole cloud.

use chrono::Duration;
use http::{Method, Request};
use serde_json::json;
use url::Url;

use crate::harness::{App, Reply};

const CALLBACK: &str = "/auth/v1/shared/google/callback";

/// The shared callback of a project, with a state of the project's own.
async fn callback_of(app: &App, project: &str) -> String {
    let host = app.admin.project_field(project, "access_host").await;
    format!("{}/api/auth/oauth/shared/callback/own.state", host.as_str().expect("a URL"))
}

async fn begin(app: &App, redirect_uri: &str) -> Reply {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("redirect_uri", redirect_uri).finish();
    app.admin.with_token(None).get(&format!("/auth/v1/shared/google?{query}")).await
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Begins a sign-in; its state.
async fn state_of(app: &App, redirect_uri: &str) -> String {
    let body = begin(app, redirect_uri).await.expect(200);
    let url = Url::parse(body["auth_url"].as_str().expect("an address")).expect("a URL");
    parameter(&url, "state").expect("a state")
}

#[tokio::test]
async fn a_browser_is_sent_with_what_protects_its_sign_in() {
    let app = App::start().await;
    let back = callback_of(&app, &app.admin.project("shop").await).await;
    let body = begin(&app, &back).await.expect(200);
    let url = Url::parse(body["auth_url"].as_str().expect("an address")).expect("a URL");
    assert_eq!(url.host_str(), Some("accounts.google.com"));
    assert_eq!(parameter(&url, "client_id").as_deref(), Some("google-client"));
    assert_eq!(
        parameter(&url, "redirect_uri").as_deref(),
        Some("http://127.0.0.1:7100/auth/v1/shared/google/callback")
    );
    assert_eq!(parameter(&url, "code_challenge_method").as_deref(), Some("S256"));
    assert!(
        parameter(&url, "nonce").is_some() && !url.as_str().contains("secret") && !url.as_str().contains("own.state")
    );
    let kept: (Vec<u8>, Vec<u8>) = sqlx::query_as("select state_hash, sealed_flow from shared_sign_ins")
        .fetch_one(&app.pool)
        .await
        .expect("one row");
    let state = parameter(&url, "state").expect("a state");
    for plain in [state.as_bytes(), b"own.state"] {
        for column in [&kept.0, &kept.1] {
            assert!(!column.windows(plain.len()).any(|part| part == plain), "nothing is kept in plain text");
        }
    }
}

#[tokio::test]
async fn a_state_works_once_and_not_for_long() {
    let app = App::start().await;
    let project = app.admin.project("shop").await;
    let back = callback_of(&app, &project).await;
    let stranger = app.admin.with_token(None);
    let finish = async |state: &str| stranger.get(&format!("{CALLBACK}?error=access_denied&state={state}")).await;

    let state = state_of(&app, &back).await;
    let ended = finish(&state).await;
    assert_eq!(
        (ended.status, ended.header("location")),
        (302, Some(&*format!("{back}?success=false&error=Access+was+denied")))
    );
    assert_eq!(finish(&state).await.refusal(), (400, "request.invalid"));

    let late = state_of(&app, &back).await;
    app.clock.advance(Duration::seconds(601));
    assert_eq!(finish(&late).await.refusal(), (400, "request.invalid"));

    // A form brings it back too; a provider that does not answer is no identity, and the browser gets on.
    let state = state_of(&app, &back).await;
    let form = Request::builder()
        .method(Method::POST)
        .uri(CALLBACK)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("state={state}&code=x"))
        .expect("a request");
    let failed = stranger.send_raw(form).await;
    assert_eq!(
        (failed.status, failed.header("location")),
        (302, Some(&*format!("{back}?success=false&error=Authentication+failed")))
    );
    let unreadable = stranger.send_text(Method::POST, CALLBACK, &[], "{}".to_owned()).await;
    assert_eq!(unreadable.refusal(), (400, "request.malformed"));

    let state = state_of(&app, &back).await;
    let _deleted = app.admin.delete(&format!("/projects/v1/{project}")).await;
    assert_eq!(begin(&app, &back).await.refusal(), (400, "request.invalid"));
    assert!(matches!(finish(&state).await.status, 302 | 400));
}

#[tokio::test]
async fn one_project_cannot_take_the_room_of_others() {
    let app = App::start().await;
    let (busy, quiet) = (app.admin.project("busy").await, app.admin.project("quiet").await);
    sqlx::query(
        "insert into shared_sign_ins (state_hash, project_id, provider, sealed_flow, expires_at)
         select sha256(n::text::bytea), $1::uuid, 'google', '', $2 from generate_series(1, 1000) n",
    )
    .bind(uuid::Uuid::parse_str(&busy).expect("an id"))
    .bind(app.now() + Duration::seconds(60))
    .execute(&app.pool)
    .await
    .expect("inserts");
    let back = callback_of(&app, &busy).await;
    assert_eq!(begin(&app, &back).await.refusal(), (429, "request.throttled"));
    let _state = state_of(&app, &callback_of(&app, &quiet).await).await;
    app.clock.advance(Duration::seconds(61));
    let _state = state_of(&app, &back).await;
}

#[tokio::test]
async fn what_leads_elsewhere_is_refused() {
    let app = App::start().await;
    let back = callback_of(&app, &app.admin.project("shop").await).await;
    for foreign in [
        "",
        "x",
        "https://evil.example/",
        &back.replace("https:", "http:"),
        &format!("{back}?x=1"),
        &back.replace(":7143", ""),
    ] {
        assert_eq!(begin(&app, foreign).await.refusal(), (400, "request.invalid"), "{foreign}");
    }
    let stranger = app.admin.with_token(None);
    assert_eq!(stranger.get("/auth/v1/shared/google").await.refusal(), (400, "request.invalid"));
    for provider in ["github", "myspace", "%00", "..%2f..", &"g".repeat(3000)] {
        for path in [format!("/auth/v1/shared/{provider}"), format!("/auth/v1/shared/{provider}/callback")] {
            let reply = stranger.get(&path).await;
            assert_eq!(reply.refusal(), (404, "shared_sign_in.provider_not_found"), "{path}: {}", json!(reply.text));
        }
    }
    assert_eq!(stranger.get("/oauth/twitter").await.refusal(), (404, "shared_sign_in.provider_not_found"));
}
