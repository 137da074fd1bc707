//! Quotas hold, also for concurrent callers.

use futures::future::join_all;
use model::limits::Plan;
use serde_json::json;

use crate::harness::App;

#[tokio::test]
async fn the_free_plan_has_two_active_projects_however_many_are_asked_for_at_once() {
    let app = App::start().await;
    let user = app.user("free", Plan::Free).await;
    let path = user.projects_path();
    let replies = join_all((0..8).map(|number| user.post(&path, json!({ "name": format!("shop {number}") })))).await;
    let made = replies.iter().filter(|reply| reply.status == 201).count();
    let refused: Vec<_> = replies.iter().filter(|reply| reply.status != 201).collect();
    assert_eq!((made, refused.len()), (2, 6));
    for reply in refused {
        assert_eq!(reply.refusal(), (403, "project.quota_exceeded"));
        assert_eq!(
            reply.body["error"],
            "Free plan allows up to 2 active projects. Please upgrade your plan to create more projects."
        );
    }
    assert_eq!(app.count("projects").await, 2);
}

#[tokio::test]
async fn a_paused_project_frees_its_place_and_cannot_take_it_back() {
    let app = App::start().await;
    let user = app.user("free", Plan::Free).await;
    let first = user.project("first").await;
    user.project("second").await;
    user.post_empty(&format!("/projects/v1/{first}/pause")).await.expect(200);
    user.project("third").await;
    assert_eq!(
        user.post_empty(&format!("/projects/v1/{first}/restore")).await.refusal(),
        (403, "project.quota_exceeded")
    );
    let larger = user.post(&format!("/projects/v1/{first}/upgrade-instance"), json!({ "instanceType": "large" })).await;
    assert_eq!(larger.refusal(), (403, "project.instance_not_in_plan"));
}

#[tokio::test]
async fn a_failed_creation_frees_its_place() {
    let app = App::start().await;
    let user = app.user("free", Plan::Free).await;
    app.engine.hold();
    for name in ["one", "two"] {
        let operation = user.post(&user.projects_path(), json!({ "name": name })).await.operation();
        app.engine.fail(operation, "provider.full", "The pool is full").await;
    }
    user.project("three").await;
}

#[tokio::test]
async fn branches_are_limited_per_parent_and_per_organization() {
    let app = App::start().await;
    let user = app.user("pro", Plan::Pro).await;
    let mut parents = Vec::new();
    for number in 0..4 {
        parents.push(user.project(&format!("parent {number}")).await);
    }
    let path = format!("/projects/v1/{}/branches", parents[0]);
    let replies =
        join_all((0..6).map(|number| user.post(&path, json!({ "name": format!("b{number}"), "mode": "full" })))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 202).count(), 2);
    assert!(
        replies
            .iter()
            .filter(|reply| reply.status != 202)
            .all(|reply| reply.refusal() == (403, "branch.quota_exceeded"))
    );
    for parent in &parents[1..3] {
        user.branch(parent, "b1").await;
    }
    let fourth =
        user.post(&format!("/projects/v1/{}/branches", parents[3]), json!({ "name": "b1", "mode": "full" })).await;
    assert_eq!(fourth.refusal(), (403, "branch.quota_exceeded"));
    user.branch(&parents[1], "b2").await;
}
