//! Applications sign their users in through the clients that the operator shares.

use std::fs;

use serde_json::json;
use test_ports::free_port;
use tests::{Cloud, DataPlane, Options, node};

#[tokio::test]
async fn applications_sign_in_through_the_operators_clients() {
    let provider = free_port();
    let at = |path: &str| format!("http://127.0.0.1:{provider}{path}");
    let endpoints = format!("authorize = '{}'\ntoken = '{}'\n", at("/auth"), at("/token"));
    let table = |name: &str, more: &str| {
        format!(
            "[{name}]\nclient_id = '{name}-client'\nclient_secret = '{name}-secret'\n[{name}.endpoints]\n{endpoints}{more}\n"
        )
    };
    let text = [
        table("google", &format!("keys = '{}'\nissuer = '{}'", at("/jwks"), at(""))),
        table("github", &format!("profile = '{}'\nemails = '{}'", at("/profile/github"), at("/emails"))),
        table("x", &format!("profile = '{}'", at("/profile/x"))),
    ]
    .concat();
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), &text).expect("it is ours");
    let arguments = vec!["--shared-clients-file".to_owned(), file.path().display().to_string()];
    let mut cloud = Cloud::start_with(Options { arguments, ..Options::default() }).await;

    let project = cloud.api().new_project(cloud.organization(), "shared").await;
    let plane = DataPlane::of(&cloud, &project.id).await;
    let input = json!({
        "baseUrl": project.access_host,
        "anonKey": plane.anon_key().await,
        "apiKey": cloud.api().access_api_key(&project.id).await,
        "apiUrl": cloud.announcement().api_url,
        "providerPort": provider,
    });
    let result = node::run("shared-sign-in.mjs", &cloud.home().join("ca/ca.pem"), &input).await;
    assert_eq!(result["providers"], 3);
    let log = cloud.log();
    assert!(!log.contains("-secret") && !log.contains("google@example.org"), "{log}");

    // The operator shares one more; a project knows once it is restarted.
    fs::write(file.path(), text + &table("discord", "")).expect("it is ours");
    let _stopped = cloud.terminate().await;
    cloud.restart().await;
    let wanted = json!({ "provider": "discord", "useSharedKey": true });
    let plane = DataPlane::of(&cloud, &project.id).await;
    let _refused = plane.post("/api/auth/oauth/configs", &wanted).await.expect(400);
    let path = format!("/projects/v1/{}/restart?waitForCompletion=true", project.id);
    let _restarted = cloud.api().post_empty(&path).await.expect(200);
    let _taken = plane.post("/api/auth/oauth/configs", &wanted).await.expect(200);
    cloud.finish().await;
}
