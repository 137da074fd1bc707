//! `kill -9` of the whole cloud in the middle of an operation: after a restart the operation has completed or left nothing.
//!
//! Where in the operation the kill falls is spread over its length by delays; every outcome must be whole, wherever it fell.

use std::time::Duration;

use serde_json::Value;
use tests::{Cloud, DataPlane, Project, api::OPERATION_LIMIT, wait};

/// Delays from request to kill. Odd numbers, so that they do not march in step with anything.
const DELAYS_MS: &[u64] = &[3, 47, 113, 211, 389, 701, 1303];

async fn kill_after(cloud: &mut Cloud, delay_ms: u64) {
    tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    cloud.kill().await;
    cloud.restart().await;
}

/// Waits until no operation of the cloud is under way.
async fn settle(cloud: &Cloud) {
    wait::until("no operation is under way", OPERATION_LIMIT, || async {
        let mut open = 0;
        for state in ["queued", "running", "unwinding", "stuck"] {
            let output = cloud.command(&["operations", "list", "--state", state]).output().expect("hearth runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            open += text
                .lines()
                .filter(|line| saga::OperationKind::ALL.iter().any(|kind| line.contains(kind.as_str())))
                .count();
        }
        (open == 0).then_some(())
    })
    .await;
}

async fn parent(cloud: &Cloud) -> (Project, DataPlane) {
    let project = cloud.api().new_project(cloud.organization(), "Parent").await;
    let admin = DataPlane::of(cloud, &project.id).await;
    admin.sql("create type mood as enum ('calm')").await;
    admin.sql("create table notes (id int primary key, text text)").await;
    admin.sql("insert into notes select n, 'note ' || n from generate_series(1, 1000) n").await;
    (project, admin)
}

#[tokio::test]
async fn a_crash_while_a_project_is_made() {
    let mut cloud = Cloud::start().await;
    for (number, delay) in DELAYS_MS.iter().enumerate() {
        let created = cloud.api().create_project(cloud.organization(), &format!("Crash {number}")).await;
        kill_after(&mut cloud, *delay).await;
        settle(&cloud).await;
        let api = cloud.api();
        match api.project(&created.id).await {
            Some(project) => {
                assert_eq!(project.status, "active", "after {delay} ms");
                let data_plane = DataPlane::through_gateway(&cloud, &project.appkey, &project.region);
                assert!(data_plane.healthy().await, "after {delay} ms: active, so it must answer");
                let _ = api.delete(&format!("/projects/v1/{}", project.id)).await.ok();
                api.wait_gone(&project.id).await;
            }
            None => assert_eq!(cloud.processes_of_project(&created.id), [], "after {delay} ms"),
        }
        settle(&cloud).await;
        assert!(cloud.project_folders().is_empty(), "after {delay} ms: {:?}", cloud.project_folders());
    }
    cloud.finish().await;
}

#[tokio::test]
async fn a_crash_while_a_branch_is_made_and_while_it_is_reset() {
    let mut cloud = Cloud::start().await;
    let (project, admin) = parent(&cloud).await;
    for (number, delay) in DELAYS_MS.iter().enumerate() {
        let created = cloud.api().create_branch(&project.id, &format!("crash-{number}"), "full").await;
        kill_after(&mut cloud, *delay).await;
        settle(&cloud).await;
        let api = cloud.api();
        if let Some(branch) = api.branch(&created.id).await {
            assert_eq!(branch.branch_state, "ready", "after {delay} ms");
            let on_branch = DataPlane::of(&cloud, &branch.id).await;
            assert_eq!(on_branch.sql_count("select count(*) from notes").await, 1000);
            reset_through_a_crash(&mut cloud, &branch.id, &on_branch, *delay).await;
            let api = cloud.api();
            let _ = api.delete(&format!("/projects/v1/branches/{}", branch.id)).await.ok();
            api.wait_branch_gone(&branch.id).await;
        }
        settle(&cloud).await;
        assert_eq!(cloud.project_folders(), [project.id.as_str()], "after {delay} ms");
        assert_eq!(admin.sql_count("select count(*) from notes").await, 1000, "the parent is whole");
    }
    cloud.finish().await;
}

/// The branch afterwards is as at its creation or as before the reset, never between.
async fn reset_through_a_crash(cloud: &mut Cloud, branch: &str, on_branch: &DataPlane, delay: u64) {
    on_branch.sql("delete from notes where id > 10").await;
    let _ = cloud.api().post_empty(&format!("/projects/v1/branches/{branch}/reset")).await.ok();
    kill_after(cloud, delay).await;
    settle(cloud).await;
    cloud.api().wait_branch(branch, &["ready"]).await;
    let count = on_branch.sql_count("select count(*) from notes").await;
    assert!(count == 1000 || count == 10, "after {delay} ms the branch has {count} notes");
}

#[tokio::test]
async fn a_crash_while_a_branch_is_merged() {
    let mut cloud = Cloud::start().await;
    let (project, admin) = parent(&cloud).await;
    for (number, delay) in DELAYS_MS.iter().enumerate() {
        let branch = cloud.api().new_branch(&project.id, &format!("merge-{number}"), "full").await;
        let on_branch = DataPlane::of(&cloud, &branch.id).await;
        on_branch.sql(&format!("create table merged_{number} (id int primary key)")).await;
        on_branch.sql(&format!("create view seen_{number} as select id from merged_{number}")).await;
        // A new label that is used at once takes a second transaction.
        on_branch.sql(&format!("alter type mood add value 'mood {number}'")).await;
        on_branch.sql(&format!("create table moods_{number} (mood mood default 'mood {number}')")).await;
        let (api, id) = (cloud.api(), branch.id.clone());
        // The answer may never come: the cloud is killed under it.
        let merge = tokio::spawn(async move {
            api.request(reqwest::Method::POST, &format!("/projects/v1/branches/{id}/merge")).send().await
        });
        kill_after(&mut cloud, *delay).await;
        let _ = merge.await.expect("sending does not panic");
        settle(&cloud).await;
        let branch = cloud.api().wait_branch(&branch.id, &["ready", "merged"]).await;
        let there = admin
            .sql_count(&format!(
                "select count(*) from pg_class where relname in ('merged_{number}', 'seen_{number}', 'moods_{number}')"
            ))
            .await;
        let expected = if branch.branch_state == "merged" { 3 } else { 0 };
        assert_eq!(there, expected, "after {delay} ms the branch is {} ", branch.branch_state);
        let _: Value = cloud.api().delete(&format!("/projects/v1/branches/{}", branch.id)).await.ok();
        cloud.api().wait_branch_gone(&branch.id).await;
        settle(&cloud).await;
        assert_eq!(cloud.project_folders(), [project.id.as_str()], "after {delay} ms no rehearsal is left");
    }
    cloud.finish().await;
}
