//! Merging: the bodies and statuses that the command-line client depends on.

use http::Method;
use saga::operations::BranchMergeInput;
use serde_json::json;

use crate::harness::{App, MergeScript, until};

async fn branched(app: &App) -> (String, String) {
    let parent = app.admin.project("trunk").await;
    let branch = app.admin.branch(&parent, "b1").await;
    (parent, format!("/projects/v1/branches/{branch}"))
}

#[tokio::test]
async fn a_dry_run_answers_the_bare_diff_and_changes_nothing() {
    let app = App::start().await;
    let (_, path) = branched(&app).await;
    let reply = app.admin.post_empty(&format!("{path}/merge?dryRun=true")).await;
    let _operation = reply.operation();
    let diff = reply.expect(200);
    assert_eq!((&diff["summary"]["added"], &diff["plan_hash"]), (&json!(1), &json!("p1")));
    assert_eq!(app.admin.get(&path).await.expect(200)["branch"]["branch_state"], "ready");
}

#[tokio::test]
async fn a_merge_answers_merged_and_may_be_repeated() {
    let app = App::start().await;
    let (parent, path) = branched(&app).await;
    let merged = app.admin.post_empty(&format!("{path}/merge")).await.expect(200);
    assert_eq!((&merged["status"], &merged["diff"]["summary"]["added"]), (&json!("merged"), &json!(1)));
    assert!(path.ends_with(merged["branchId"].as_str().expect("an id")));
    assert_eq!(app.admin.get(&path).await.expect(200)["branch"]["branch_state"], "merged");
    app.admin.post_empty(&format!("{path}/merge?dryRun=true")).await.expect(200);
    assert_eq!(app.admin.post_empty(&format!("{path}/merge")).await.expect(200)["status"], "merged");
    // A merged branch does not count against the quota.
    app.admin.branch(&parent, "b2").await;
    app.admin.branch(&parent, "b3").await;
    // Updated it would count, and there is no room for it.
    assert_eq!(app.admin.post_empty(&format!("{path}/update")).await.refusal(), (403, "branch.quota_exceeded"));
    app.admin.post_empty(&format!("{path}/update?dryRun=true")).await.expect(200);
    app.admin.post_empty(&format!("{path}/reset")).await.expect(202);
    assert_eq!(app.admin.get(&path).await.expect(200)["branch"]["branch_state"], "ready");
}

#[tokio::test]
async fn a_merge_can_be_undone_until_the_branch_moves_on() {
    let app = App::start().await;
    let (_, path) = branched(&app).await;
    let undo = format!("{path}/merge/undo");
    assert_eq!(app.admin.post_empty(&undo).await.refusal(), (423, "branch.undo_unavailable"), "it was never merged");
    assert_eq!(app.admin.post_empty(&format!("{undo}?dryRun=true")).await.refusal(), (409, "branch.undo_unavailable"));

    app.admin.post_empty(&format!("{path}/merge")).await.expect(200);
    let shown = app.admin.post_empty(&format!("{undo}?dryRun=true")).await.expect(200);
    assert!(shown["summary"].is_object(), "{shown}");
    assert_eq!(app.admin.get(&path).await.expect(200)["branch"]["branch_state"], "merged");
    let undone = app.admin.post_empty(&undo).await.expect(200);
    assert_eq!((&undone["status"], &undone["lost"]), (&json!("undone"), &json!([])));
    assert_eq!(app.admin.get(&path).await.expect(200)["branch"]["branch_state"], "ready");
    assert_eq!(app.admin.post_empty(&undo).await.refusal(), (423, "branch.undo_unavailable"), "once only");

    app.admin.post_empty(&format!("{path}/merge")).await.expect(200);
    let updated = app.admin.post_empty(&format!("{path}/update")).await.expect(200);
    assert_eq!(updated["status"], "updated");
    assert_eq!(app.admin.get(&path).await.expect(200)["branch"]["branch_state"], "ready");
    assert_eq!(app.admin.post_empty(&undo).await.refusal(), (423, "branch.undo_unavailable"), "it was updated since");
}

#[tokio::test]
async fn decisions_travel_with_the_request_and_are_checked() {
    let app = App::start().await;
    let (_, path) = branched(&app).await;
    let resolutions = json!({ "plan_hash": "p0", "choices": { "c-1": "take_source", "c-2": { "custom_sql": { "sql": "select 1" } } } });
    let body = json!({ "resolutions": resolutions, "approve": ["widened_access"], "expected_plan_hash": "p1" });
    app.admin.post(&format!("{path}/merge?dryRun=true"), body).await.expect(200);
    let mut conn = app.pool.acquire().await.expect("a connection");
    let id = app.engine.starts().last().expect("started").id;
    let operation = store::operations::find(&mut conn, id).await.expect("reads").expect("recorded");
    let input: BranchMergeInput = serde_json::from_value(operation.input).expect("its own input");
    assert_eq!(input.resolutions, Some(resolutions));
    assert_eq!((input.approve, input.expected_plan_hash), (vec!["widened_access".to_owned()], Some("p1".to_owned())));

    for route in ["merge", "update"] {
        for body in [
            json!({ "resolutions": "all" }),
            json!({ "resolutions": { "choices": {} } }),
            json!({ "resolutions": { "plan_hash": "p", "choices": { "c-1": "take_both" } } }),
            json!({ "approve": "all" }),
            json!({ "approve": [""] }),
            json!({ "approve": ["a b"] }),
            json!({ "planHash": 7 }),
        ] {
            let refused = app.admin.post(&format!("{path}/{route}"), body.clone()).await;
            assert_eq!(refused.refusal(), (400, "request.invalid"), "{route} {body}");
        }
    }
    let refused = app.admin.post(&format!("{path}/merge/undo"), json!({ "planHash": "" })).await;
    assert_eq!(refused.refusal(), (400, "request.invalid"));
}

#[tokio::test]
async fn a_conflict_is_409_with_a_diff_and_leaves_the_branch_ready() {
    let app = App::start().await;
    let (_, path) = branched(&app).await;
    app.engine.script_merge(MergeScript::Fails("branch.merge_conflict"));
    let conflict = app.admin.post_empty(&format!("{path}/merge")).await;
    assert_eq!(conflict.refusal(), (409, "branch.merge_conflict"));
    assert!(conflict.body["diff"]["conflicts"].is_array() && conflict.body["diff"]["summary"].is_object());
    assert_eq!(app.admin.get(&path).await.expect(200)["branch"]["branch_state"], "ready");
    for (code, status) in [
        ("branch.merge_unsupported", 422),
        ("branch.merge_rehearsal_failed", 422),
        ("branch.merge_unproven", 422),
        ("branch.approval_needed", 422),
        ("branch.resolution_invalid", 422),
        ("branch.undo_conflict", 409),
        ("branch.plan_changed", 412),
        ("branch.parent_busy", 423),
        ("branch.parent_changed", 423),
    ] {
        app.engine.script_merge(MergeScript::Fails(code));
        let refused = app.admin.post_empty(&format!("{path}/merge")).await;
        assert_eq!(refused.refusal(), (status, code));
        assert!(refused.body["diff"].is_object());
    }
}

#[tokio::test]
async fn busy_is_423_on_execute_because_409_means_conflict_there() {
    let app = App::start().await;
    let (parent, path) = branched(&app).await;
    app.engine.hold();
    let merge = format!("{path}/merge");
    let merging = app.admin.post_empty(&merge);
    let looking = async {
        let operation = until(async || app.engine.starts().get(2).map(|start| start.id)).await;
        assert_eq!(app.admin.get(&path).await.expect(200)["branch"]["branch_state"], "merging");
        assert_eq!(app.admin.post_empty(&format!("{path}/merge")).await.refusal(), (423, "branch.busy"));
        assert_eq!(app.admin.post_empty(&format!("{path}/merge?dryRun=true")).await.refusal(), (409, "branch.busy"));
        assert_eq!(app.admin.post_empty(&format!("{path}/reset")).await.refusal(), (409, "branch.busy"));
        assert_eq!(app.admin.delete(&path).await.refusal(), (409, "branch.busy"));
        assert_eq!(
            app.admin.post_empty(&format!("/projects/v1/{parent}/restart")).await.refusal(),
            (409, "project.busy")
        );
        app.engine.finish(operation).await;
    };
    let (merged, ()) = tokio::join!(merging, looking);
    assert_eq!(merged.expect(200)["status"], "merged");
}

#[tokio::test]
async fn the_plan_hash_of_a_dry_run_can_be_made_a_condition() {
    let app = App::start().await;
    let (_, path) = branched(&app).await;
    let dry = format!("{path}/merge?dryRun=true");
    app.admin.send(Method::POST, &dry, &[("if-match", "\"p1\"")], None).await.expect(200);
    app.admin.post(&dry, json!({ "planHash": "p2" })).await.expect(200);
    app.admin.send(Method::POST, &dry, &[("if-match", "*")], None).await.expect(200);
    let mut conn = app.pool.acquire().await.expect("a connection");
    let mut expected = Vec::new();
    for start in &app.engine.starts()[2..] {
        let operation = store::operations::find(&mut conn, start.id).await.expect("reads").expect("recorded");
        let input: BranchMergeInput = serde_json::from_value(operation.input).expect("its own input");
        assert!(input.dry_run);
        expected.push(input.expected_plan_hash);
    }
    assert_eq!(expected, [Some("p1".to_owned()), Some("p2".to_owned()), None]);
    let refused = app.admin.post(&dry, json!({ "planHash": "x".repeat(500) })).await;
    assert_eq!(refused.refusal(), (400, "request.invalid"));
}
