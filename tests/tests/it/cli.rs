//! The command line: how `hearth up` refuses to start, what it writes, and the operator's commands.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{PermissionsExt as _, chown},
    process::Output,
};

use tests::{Cloud, Options};

/// One sentence on standard error, status 1.
#[track_caller]
fn assert_refused(output: &Output, word: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let last = stderr.trim().lines().last().unwrap_or_default();
    assert!(last.starts_with("hearth: "), "{stderr}");
    assert!(last.contains(word), "'{word}' in: {last}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

/// A cloud that has stopped, so that its home can be started again in other ways.
async fn stopped_cloud() -> Cloud {
    let mut cloud = Cloud::start().await;
    let status = cloud.terminate().await;
    assert!(status.success(), "{status}");
    cloud
}

#[tokio::test]
async fn what_keeps_it_from_starting_is_said_in_one_sentence() {
    let cloud = stopped_cloud().await;

    let taken = TcpListener::bind(cloud.ports().api).expect("the port is free again");
    let output = cloud.command(&["up"]).output().expect("hearth runs");
    assert_refused(&output, &cloud.ports().api.port().to_string());
    drop(taken);
    assert_eq!(cloud.processes(), [], "a refused start leaves nothing running");

    let output = cloud
        .command(&["up"])
        .env("HEARTH_DATA_PLANE_BINARY", "/nowhere/hearth-data-plane")
        .output()
        .expect("hearth runs");
    assert_refused(&output, "/nowhere/hearth-data-plane");

    if nix::unistd::geteuid().is_root() {
        chown(cloud.home(), Some(12345), None).expect("root may change owners");
        let output = cloud.command(&["up"]).output().expect("hearth runs");
        assert_refused(&output, "belongs to");
        chown(cloud.home(), Some(0), None).expect("root may change owners");
    }
    cloud.finish().await;
}

#[tokio::test]
async fn hearth_json_is_private_and_a_home_has_one_cloud() {
    let cloud = Cloud::start().await;
    let metadata = fs::metadata(cloud.home().join("hearth.json")).expect("it was announced");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);

    let output = cloud.command(&["up"]).output().expect("hearth runs");
    assert_refused(&output, "home");
    assert_eq!(cloud.api().get("/auth/v1/profile").await.status, 200, "the first one is not disturbed");
    cloud.finish().await;
}

#[tokio::test]
async fn who_holds_the_home_gets_new_credentials_for_lost_ones() {
    let mut cloud = stopped_cloud().await;
    let lost = cloud.announcement().clone();
    fs::remove_file(cloud.home().join("hearth.json")).expect("it was announced");
    cloud.restart().await;
    assert_eq!(cloud.organization(), lost.organization_id);
    assert_eq!(cloud.announcement().admin.email, lost.admin.email);
    let api = cloud.api();
    assert_eq!(api.get("/auth/v1/profile").await.status, 200);
    let old_key = api.clone().with_token(&lost.admin.user_api_key);
    assert_eq!(old_key.get("/auth/v1/profile").await.status, 401, "the lost key is refused");
    let sign_in = |password: &str| serde_json::json!({ "email": lost.admin.email, "password": password });
    assert_eq!(api.post("/auth/v1/login", &sign_in(&lost.admin.password)).await.status, 401);
    assert_eq!(api.post("/auth/v1/login", &sign_in(&cloud.announcement().admin.password)).await.status, 200);
    cloud.finish().await;
}

#[tokio::test]
async fn the_operator_sees_operations() {
    let cloud = Cloud::start().await;
    let api = cloud.api();
    let project = api.new_project(cloud.organization(), "Watched").await;
    let list = cloud.command(&["operations", "list"]).output().expect("hearth runs");
    let text = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(list.status.success(), "{}", String::from_utf8_lossy(&list.stderr));
    assert!(text.contains("project_create") && text.contains("succeeded"), "{text}");

    let restart = api.post_empty(&format!("/projects/v1/{}/restart?waitForCompletion=true", project.id)).await;
    let id = restart.header("Hearth-Operation").expect("long work names its operation").to_owned();
    let show = cloud.command(&["operations", "show", &id]).output().expect("hearth runs");
    let text = String::from_utf8_lossy(&show.stdout).into_owned();
    assert!(show.status.success(), "{}", String::from_utf8_lossy(&show.stderr));
    assert!(text.contains("project_restart") && text.contains("succeeded"), "{text}");

    // Only what is stuck can be tried again.
    let retry = cloud.command(&["operations", "retry", &id]).output().expect("hearth runs");
    assert_eq!(retry.status.code(), Some(1));
    let operation = api.operation(&id).await;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    let steps = operation["steps"].as_array().expect("an operation has steps");
    assert!(!steps.is_empty() && steps.iter().all(|step| step["state"] == "done"), "{operation}");
    cloud.finish().await;
}

#[tokio::test]
async fn prices_are_the_operators_and_change_on_a_date() {
    let month = chrono::Utc::now().format("%Y-%m-01").to_string();
    let folder = tempfile::tempdir().expect("a folder");
    // The first user's organization is on the team plan.
    let list = format!(
        "plan = 'team'\ncurrency = 'EUR'\n
         [[editions]]\neffective_from = '2020-01-01'\nmonthly_micros = 7_000_000\n
         [[editions]]\neffective_from = '{month}'\nmonthly_micros = 9_500_000\n"
    );
    fs::write(folder.path().join("team.toml"), &list).expect("writes");
    let arguments = vec!["--plans-dir".to_owned(), folder.path().display().to_string()];
    let mut cloud = Cloud::start_with(Options { arguments, ..Options::default() }).await;
    let api = cloud.api();
    let plans = api.get("/billing/v1/plans").await.expect(200);
    let plan = |name: &str| plans["plans"].as_array().and_then(|plans| plans.iter().find(|plan| plan["plan"] == name));
    let team = plan("team").expect("it has prices");
    assert_eq!((&team["currency"], &team["monthly_micros"]), (&"EUR".into(), &9_500_000.into()));
    assert_eq!(plan("pro").expect("it has prices")["monthly_micros"], 25_000_000, "plans without a file keep theirs");
    for (cycle, owed) in [("current", 9_500_000), ("previous", 7_000_000)] {
        let path = format!("/billing/v1/{}/invoice-preview?cycle={cycle}", cloud.organization());
        assert_eq!(api.get(&path).await.expect(200)["total_micros"], owed, "{cycle}");
    }
    fs::write(folder.path().join("team.toml"), list.replace("9_500_000", "-1")).expect("writes");
    assert!(cloud.terminate().await.success());
    let output = cloud.command(&["up"]).output().expect("hearth runs");
    assert_refused(&output, "monthly_micros must not be negative");
    cloud.finish().await;
}
