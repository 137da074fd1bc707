//! What is particular to merges: dry runs, conflicts, a parent that changes or is busy.

use data_plane_contract::schema::{ApplyRefused, Observation};
use ids::ProjectId;
use providers::Database as _;
use saga::{
    OperationKind,
    operations::{BranchMergeInput, MergeDirection},
};
use store::operations::{Operation, OperationState};

use crate::{
    cases::{Arranged, family, merge_of, undo_of},
    cloud::Cloud,
};

async fn arranged(cloud: &Cloud, dry_run: bool) -> Arranged {
    let names = family(cloud).await;
    merge_of(cloud, names, dry_run).await
}

fn refuse(cloud: &Cloud, project_id: ProjectId, refusals: impl IntoIterator<Item = ApplyRefused>) {
    cloud.outside.refusals.lock().expect("test lock").entry(project_id).or_default().extend(refusals);
}

fn changed() -> ApplyRefused {
    ApplyRefused::TargetChanged { catalog_hash: "other".to_owned() }
}

fn merged(cloud: &Cloud, project_id: ProjectId) -> usize {
    cloud.fake.marks(project_id).unwrap_or_default().iter().filter(|mark| mark.starts_with("merged ")).count()
}

async fn clones_made(cloud: &Cloud, arranged: &Arranged) -> usize {
    let changes = cloud.fake.changes();
    changes.iter().filter(|call| call.name == "drop_database" && call.project_id == Some(arranged.names[2].0)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_rehearses_and_changes_nothing() {
    let cloud = Cloud::start().await;
    let arranged = arranged(&cloud, true).await;
    let ended = cloud.carry_out(&arranged.operation).await;
    assert_eq!(ended.state, OperationState::Succeeded, "{ended:?}");
    let result = ended.result.expect("a report");
    assert_eq!(result["applied"], false);
    assert_eq!(result["diff"]["summary"]["conflicts"], 0);
    assert!(result["diff"]["rendered_sql"].as_str().is_some_and(|sql| sql.contains("hello")), "{result}");
    assert_eq!(result["plan_hash"], result["diff"]["plan_hash"]);
    assert_eq!(cloud.remains(&arranged.names).await, arranged.before);
    assert_eq!(clones_made(&cloud, &arranged).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_blocks_the_merge_and_shows_in_a_dry_run() {
    let cloud = Cloud::start().await;
    for dry_run in [false, true] {
        let arranged = arranged(&cloud, dry_run).await;
        cloud.fake.put_mark(arranged.names[0].0, "fn hello v3");
        let before = cloud.remains(&arranged.names).await;
        let ended = cloud.carry_out(&arranged.operation).await;
        let result = ended.result.clone().expect("a report");
        assert_eq!(result["diff"]["summary"]["conflicts"], 1, "{result}");
        assert_eq!(result["applied"], false);
        let expected = if dry_run {
            (OperationState::Succeeded, None)
        } else {
            (OperationState::Failed, Some("branch.merge_conflict"))
        };
        assert_eq!((ended.state, ended.error_code.as_deref()), expected, "{ended:?}");
        assert_eq!(cloud.remains(&arranged.names).await, before);
    }
}

async fn merge(cloud: &Cloud, arranged: &Arranged) -> Operation {
    cloud.carry_out(&arranged.operation).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_changes_is_planned_for_again() {
    let cloud = Cloud::start().await;
    let arranged = arranged(&cloud, false).await;
    refuse(&cloud, arranged.names[2].0, [changed()]);
    refuse(&cloud, arranged.names[0].0, [changed()]);
    let ended = merge(&cloud, &arranged).await;
    assert_eq!(ended.state, OperationState::Succeeded, "{ended:?}");
    assert_eq!(merged(&cloud, arranged.names[0].0), 1);
    assert_eq!(ended.result.expect("a report")["applied"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_never_rests_is_left_alone() {
    let cloud = Cloud::start().await;
    let arranged = arranged(&cloud, false).await;
    refuse(&cloud, arranged.names[0].0, [changed(), changed(), changed()]);
    let ended = merge(&cloud, &arranged).await;
    assert_eq!((ended.state, ended.error_code.as_deref()), (OperationState::Failed, Some("branch.parent_changed")));
    assert_eq!(cloud.remains(&arranged.names).await, arranged.before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_parent_is_waited_for_and_then_left_alone() {
    let cloud = Cloud::start().await;
    let patient = arranged(&cloud, false).await;
    refuse(&cloud, patient.names[0].0, [ApplyRefused::Locked, ApplyRefused::Locked]);
    assert_eq!(merge(&cloud, &patient).await.state, OperationState::Succeeded);
    assert_eq!(merged(&cloud, patient.names[0].0), 1);

    let refused = arranged(&cloud, false).await;
    refuse(&cloud, refused.names[0].0, std::iter::repeat_n(ApplyRefused::Locked, 100));
    let before = cloud.remains(&refused.names).await;
    let ended = merge(&cloud, &refused).await;
    assert_eq!((ended.state, ended.error_code.as_deref()), (OperationState::Failed, Some("branch.parent_busy")));
    assert_eq!(cloud.remains(&refused.names).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_fails_in_rehearsal_never_reaches_the_parent() {
    let cloud = Cloud::start().await;
    let arranged = arranged(&cloud, false).await;
    let failed = ApplyRefused::StatementFailed {
        index: 0,
        sqlstate: "23505".to_owned(),
        message: "duplicate".to_owned(),
        committed_segments: 0,
    };
    refuse(&cloud, arranged.names[2].0, [failed]);
    let ended = merge(&cloud, &arranged).await;
    assert_eq!(
        (ended.state, ended.error_code.as_deref()),
        (OperationState::Failed, Some("branch.merge_rehearsal_failed"))
    );
    assert!(ended.result.is_some_and(|result| result["diff"].is_object()));
    assert_eq!(cloud.remains(&arranged.names).await, arranged.before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reviewed_plan_is_the_one_that_runs() {
    let cloud = Cloud::start().await;
    let mut arranged = arranged(&cloud, false).await;
    let mut input: BranchMergeInput = serde_json::from_value(arranged.operation.input.clone()).expect("own input");
    input.expected_plan_hash = Some("another".to_owned());
    arranged.operation.input = serde_json::to_value(&input).expect("plain data");
    let ended = merge(&cloud, &arranged).await;
    assert_eq!((ended.state, ended.error_code.as_deref()), (OperationState::Failed, Some("branch.plan_changed")));
    assert_eq!(cloud.remains(&arranged.names).await, arranged.before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_base_is_the_branch_so_that_nothing_of_the_parent_seems_dropped_or_known() {
    let cloud = Cloud::start().await;
    let arranged = arranged(&cloud, false).await;
    assert_eq!(merge(&cloud, &arranged).await.state, OperationState::Succeeded);
    let mut conn = cloud.pool().acquire().await.expect("a connection");
    let (base, _) = store::branches::base(&mut conn, arranged.names[1].0).await.expect("read").expect("set");
    let base: schema_merge::Base = serde_json::from_str(base.get()).expect("a base");
    let slugs = |side: &schema_merge::Snapshot| {
        side.edge_functions.iter().map(|function| function.slug.clone()).collect::<Vec<_>>()
    };
    for side in [&base.target, base.of_source()] {
        assert_eq!(slugs(side), ["hello"], "the parent's own function is not part of it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_the_second_observer_sees_otherwise_never_reaches_the_parent() {
    let cloud = Cloud::start().await;
    let arranged = arranged(&cloud, false).await;
    let seen = Observation {
        verdict: "disagrees".to_owned(),
        differences: vec!["pg_dump: table public.t has changed, and no fact says so".to_owned()],
        ..Observation::default()
    };
    cloud.outside.observations.lock().expect("test lock").push_back(seen);
    let ended = merge(&cloud, &arranged).await;
    assert_eq!((ended.state, ended.error_code.as_deref()), (OperationState::Failed, Some("branch.merge_unproven")));
    assert!(ended.error_detail.is_some_and(|detail| detail.contains("public.t")));
    assert_eq!(ended.result.expect("a report")["diff"]["rehearsal"]["observer"]["verdict"], "disagrees");
    assert_eq!(cloud.remains(&arranged.names).await, arranged.before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_gives_the_branch_its_base_back_and_the_window_closes() {
    let cloud = Cloud::start().await;
    let names = family(&cloud).await;
    let (parent_id, branch_id) = (names[0].0, names[1].0);
    let mut conn = cloud.pool().acquire().await.expect("a connection");
    let (before, _) = store::branches::base(&mut conn, branch_id).await.expect("read").expect("set");
    let undo = undo_of(&cloud, names).await;
    assert!(store::branches::find(&mut conn, branch_id).await.expect("read").expect("there").merged);
    let open =
        store::merges::open(&mut conn, branch_id, chrono::Utc::now()).await.expect("read").expect("it can be undone");

    let ended = cloud.carry_out(&undo.operation).await;
    assert_eq!(ended.state, OperationState::Succeeded, "{ended:?}");
    let marks = cloud.fake.marks(parent_id).expect("it is there");
    assert_eq!(marks.iter().rfind(|mark| mark.starts_with("fn hello")).map(String::as_str), Some("fn hello v1"));
    let (after, _) = store::branches::base(&mut conn, branch_id).await.expect("read").expect("set");
    assert_eq!(after.get(), before.get());
    assert!(!store::branches::find(&mut conn, branch_id).await.expect("read").expect("there").merged);
    assert!(store::merges::find_open(&mut conn, open.operation_id).await.expect("read").is_none(), "once only");

    assert_eq!(workflows::undo_expire::once(&cloud.world).await.expect("looked"), [], "not yet");
    sqlx::query("update merges set undo_until = now() - interval '1 second'")
        .execute(cloud.pool())
        .await
        .expect("updated");
    let mut paused = async |intent| {
        store::projects::set_intent(&mut conn, parent_id, intent).await.expect("updated");
        workflows::undo_expire::once(&cloud.world).await.expect("looked")
    };
    assert_eq!(paused(model::projects::Intent::Paused).await, [], "a paused parent is not woken for it");
    assert_eq!(paused(model::projects::Intent::Active).await, [open.operation_id]);
    assert_eq!(workflows::undo_expire::once(&cloud.world).await.expect("looked"), []);
    let documents: i64 =
        sqlx::query_scalar("select count(*) from operation_documents").fetch_one(cloud.pool()).await.expect("counted");
    assert_eq!(documents, 0, "nothing is written down that nobody needs");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_changes_the_branch_only_and_ends_the_undo_of_its_merge() {
    let cloud = Cloud::start().await;
    let names = family(&cloud).await;
    let (parent_id, branch_id) = (names[0].0, names[1].0);
    let first = merge_of(&cloud, names.clone(), false).await;
    assert_eq!(merge(&cloud, &first).await.state, OperationState::Succeeded);
    cloud.fake.put_mark(parent_id, "fn hello v3");
    let on_parent = cloud.fake.marks(parent_id);
    let mut input = BranchMergeInput::new(branch_id, parent_id, MergeDirection::IntoBranch);
    input.dry_run = true;
    let dry = cloud.carry_out(&cloud.operation(OperationKind::BranchUpdate, branch_id, &input)).await;
    assert_eq!(dry.state, OperationState::Succeeded, "{dry:?}");
    assert_eq!(merged(&cloud, branch_id), 0);
    input.dry_run = false;
    input.rehearsal_id = ProjectId::generate();
    let ended = cloud.carry_out(&cloud.operation(OperationKind::BranchUpdate, branch_id, &input)).await;
    assert_eq!(ended.state, OperationState::Succeeded, "{ended:?}");
    assert_eq!((merged(&cloud, branch_id), cloud.fake.marks(parent_id)), (1, on_parent));
    let marks = cloud.fake.marks(branch_id).expect("it is there");
    assert!(marks.contains(&"fn hello v3".to_owned()), "{marks:?}");
    let mut conn = cloud.pool().acquire().await.expect("a connection");
    assert!(!store::branches::find(&mut conn, branch_id).await.expect("read").expect("there").merged);
    assert!(store::merges::open(&mut conn, branch_id, chrono::Utc::now()).await.expect("read").is_none());

    // What is the branch's own is still to be merged, and what is the parent's own came with the update.
    let marks = cloud.fake.marks(branch_id).expect("it is there");
    assert!(marks.contains(&"fn other v1".to_owned()), "{marks:?}");
    // Nothing is left to do.
    let again = BranchMergeInput::new(branch_id, parent_id, MergeDirection::IntoBranch);
    let again = cloud.carry_out(&cloud.operation(OperationKind::BranchUpdate, branch_id, &again)).await;
    let summary = again.result.expect("a report")["diff"]["summary"].clone();
    assert_eq!((&summary["added"], &summary["modified"]), (&serde_json::json!(0), &serde_json::json!(0)), "{summary}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_parent_is_not_woken() {
    let cloud = Cloud::start().await;
    let arranged = arranged(&cloud, true).await;
    let mut conn = cloud.pool().acquire().await.expect("a connection");
    store::projects::set_intent(&mut conn, arranged.names[0].0, model::projects::Intent::Paused)
        .await
        .expect("updated");
    let ended = merge(&cloud, &arranged).await;
    assert_eq!((ended.state, ended.error_code.as_deref()), (OperationState::Failed, Some("project.paused")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_fell_asleep_is_woken() {
    let cloud = Cloud::start().await;
    let arranged = arranged(&cloud, false).await;
    for (id, _) in &arranged.names[..2] {
        cloud.fake.stop_database(*id).await.expect("stopped");
    }
    assert_eq!(merge(&cloud, &arranged).await.state, OperationState::Succeeded);
    assert_eq!(merged(&cloud, arranged.names[0].0), 1);
}
