//! A project from creation to deletion: pause, restore, restart, sleep, idempotent creates, a restart of the whole cloud.

use serde_json::json;
use tests::{Cloud, DataPlane, Options, api::OPERATION_LIMIT, wait};

#[tokio::test]
async fn a_project_is_served_paused_restored_renamed_and_deleted() {
    let cloud = Cloud::start().await;
    let api = cloud.api();
    let organization = cloud.organization().to_owned();

    let created = api.create_project(&organization, "  Shop  ").await;
    assert_eq!((created.name.as_str(), created.region.as_str()), ("Shop", "us-east"));
    let project = api.wait_project(&created.id, "active").await;
    let data_plane = DataPlane::through_gateway(&cloud, &project.appkey, &project.region);
    // Active means served: the very next request must succeed.
    assert!(data_plane.healthy().await, "an active project answers through the gateway");
    assert!(DataPlane::through_gateway_tls(&cloud, &project.appkey, &project.region).healthy().await, "and over TLS");
    let direct = project.direct_url.clone().expect("a local project has its own address");
    assert!(DataPlane::at(&direct, None).healthy().await, "and directly");
    let public = format!("https://{}.us-east.localhost:{}", project.appkey, cloud.ports().gateway_https.port());
    assert_eq!(project.access_host, Some(public));

    let admin = DataPlane::of(&cloud, &project.id).await;
    admin.sql("create table notes (id int primary key, text text)").await;
    admin.sql("insert into notes values (1, 'kept')").await;

    let renamed = api.put(&format!("/projects/v1/{}", project.id), &json!({ "name": "Store" })).await.expect(200);
    assert_eq!(renamed["project"]["name"], "Store");

    let _ = api.post_empty(&format!("/projects/v1/{}/pause", project.id)).await.ok();
    api.wait_project(&project.id, "paused").await;
    assert_eq!(cloud.processes_of_project(&project.id), [], "a paused project has no process");
    assert_eq!(data_plane.get("/api/health").await.status, 503);

    let _ = api.post_empty(&format!("/projects/v1/{}/restore", project.id)).await.ok();
    api.wait_project(&project.id, "active").await;
    assert_eq!(admin.sql_value("select text from notes").await, "kept");

    let latest = api.anonymous().get("/platform/insforge/latest-version").await.expect(200);
    let version = latest["version"].as_str().expect("a version").to_owned();
    let path = format!("/projects/v1/{}/restart?insforgeOssVersion={version}&waitForCompletion=true", project.id);
    let restarted = api.post_empty(&path).await.expect(200);
    assert_eq!(restarted["project"]["service_version"].as_str(), Some(version.trim_start_matches('v')));
    assert!(data_plane.healthy().await, "a restart that was waited for is over");
    assert_eq!(admin.sql_value("select text from notes").await, "kept");

    let _ = api.delete(&format!("/projects/v1/{}", project.id)).await.ok();
    api.wait_gone(&project.id).await;
    wait::until("nothing of the project is left on disk", OPERATION_LIMIT, || async {
        (cloud.project_folders().is_empty() && cloud.processes_of_project(&project.id).is_empty()).then_some(())
    })
    .await;
    assert_eq!(data_plane.get("/api/health").await.status, 404, "its host is unknown");
    cloud.finish().await;
}

#[tokio::test]
async fn the_free_plan_has_two_active_projects() {
    let cloud = Cloud::start().await;
    let api = cloud.api();
    let created = api.post("/organizations/v1", &json!({ "name": "Thrifty", "type": "team" })).await.ok();
    let organization = created["organization"]["id"].as_str().expect("an id").to_owned();
    let first = api.new_project(&organization, "One").await;
    api.new_project(&organization, "Two").await;
    let refused = api.post(&format!("/organizations/v1/{organization}/projects"), &json!({ "name": "Three" })).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert!(
        refused.body["error"].as_str().expect("a text").starts_with("Free plan allows up to 2 active projects."),
        "{}",
        refused.text
    );
    assert_eq!(api.projects(&organization).await.len(), 2);

    let _ = api.delete(&format!("/projects/v1/{}", first.id)).await.ok();
    api.wait_gone(&first.id).await;
    api.new_project(&organization, "Three").await;
    let _ = api.delete(&format!("/organizations/v1/{organization}")).await.ok();
    wait::until("deleting an organization deletes its projects", OPERATION_LIMIT, || async {
        cloud.project_folders().is_empty().then_some(())
    })
    .await;
    cloud.finish().await;
}

#[tokio::test]
async fn ten_creates_with_one_key_make_one_project() {
    let cloud = Cloud::start().await;
    let api = cloud.api();
    let organization = cloud.organization().to_owned();
    let path = format!("/organizations/v1/{organization}/projects");
    let creates = (0..10).map(|_| async {
        let request =
            api.request(reqwest::Method::POST, &path).header("Idempotency-Key", "one").json(&json!({ "name": "Once" }));
        let response = request.send().await.expect("a response comes");
        let status = response.status();
        let body: serde_json::Value = response.json().await.expect("the body is JSON");
        assert!(status.is_success(), "{status} {body}");
        body["project"]["id"].as_str().expect("an id").to_owned()
    });
    let ids = futures::future::join_all(creates).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "one project, not {ids:?}");
    api.wait_project(&ids[0], "active").await;
    assert_eq!(api.projects(&organization).await.len(), 1);

    // The same key for something else is a mistake of the caller.
    let request =
        api.request(reqwest::Method::POST, &path).header("Idempotency-Key", "one").json(&json!({ "name": "Twice" }));
    let status = request.send().await.expect("a response comes").status().as_u16();
    assert!((400..500).contains(&status), "{status}");
    assert_eq!(api.projects(&organization).await.len(), 1);
    cloud.finish().await;
}

#[tokio::test]
async fn a_sleeping_project_wakes_for_a_request_and_loses_nothing() {
    let cloud = Cloud::start_with(Options { sleep_after_seconds: Some(2), ..Options::default() }).await;
    let api = cloud.api();
    let project = api.new_project(cloud.organization(), "Dozy").await;
    let admin = DataPlane::of(&cloud, &project.id).await;
    admin.sql("create table notes (id int primary key)").await;
    admin.sql("insert into notes select generate_series(1, 100)").await;
    for _ in 0..2 {
        wait::until("the idle project sleeps", OPERATION_LIMIT, || async {
            cloud.processes_of_project(&project.id).is_empty().then_some(())
        })
        .await;
        assert_eq!(api.project(&project.id).await.expect("it is there").status, "active", "sleep is not a status");
        assert_eq!(admin.sql_count("select count(*) from notes").await, 100, "the first request wakes it");
        assert!(!cloud.processes_of_project(&project.id).is_empty());
    }
    // A host nobody has wakes nobody.
    let stranger = DataPlane::through_gateway(&cloud, "zzzzzzzz", "us-east");
    assert_eq!(stranger.get("/api/health").await.status, 404);
    cloud.finish().await;
}

#[tokio::test]
async fn a_second_start_resumes_what_was_there() {
    let mut cloud = Cloud::start().await;
    let api = cloud.api();
    let project = api.new_project(cloud.organization(), "Lasting").await;
    let branch = api.new_branch(&project.id, "draft", "full").await;
    let admin = DataPlane::of(&cloud, &project.id).await;
    admin.sql("create table notes (text text)").await;
    admin.sql("insert into notes values ('kept')").await;
    let before = cloud.announcement().clone();

    let status = cloud.terminate().await;
    assert!(status.success(), "{status}");
    assert_eq!(cloud.processes(), [], "a clean stop leaves no process");
    cloud.restart().await;

    let after = cloud.announcement();
    assert_eq!(after.admin.user_api_key, before.admin.user_api_key);
    assert_eq!(after.organization_id, before.organization_id);
    assert_eq!(after.ca_pem, before.ca_pem);
    assert_eq!(admin.sql_value("select text from notes").await, "kept", "projects are served again");
    assert!(DataPlane::of(&cloud, &branch.id).await.healthy().await, "branches too");

    // The same after a crash of the whole cloud, with what it had started still running.
    cloud.kill().await;
    cloud.restart().await;
    assert_eq!(admin.sql_value("select text from notes").await, "kept");
    let _ = cloud.api().delete(&format!("/projects/v1/{}", project.id)).await.ok();
    cloud.api().wait_gone(&branch.id).await;
    wait::until("deleting the parent deletes the branch", OPERATION_LIMIT, || async {
        cloud.project_folders().is_empty().then_some(())
    })
    .await;
    cloud.finish().await;
}
