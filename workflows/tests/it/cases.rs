//! What each saga needs before it can run. A new saga is covered by adding it here.

use futures::future::BoxFuture;
use ids::ProjectId;
use model::projects::Intent;
use saga::{
    OperationKind,
    operations::{BranchCreateInput, BranchMergeInput, BranchMode, ProjectInput, ProjectRestartInput},
};
use store::operations::{NewOperation, OperationState};

use crate::cloud::Cloud;

/// One saga with a builder of its preconditions.
pub(crate) struct Case {
    /// The saga.
    pub(crate) kind: OperationKind,
    /// Builds the preconditions in an empty cloud.
    pub(crate) arrange: for<'a> fn(&'a Cloud) -> BoxFuture<'a, Arranged>,
}

/// An operation ready to be recorded.
pub(crate) struct Arranged {
    /// The operation.
    pub(crate) operation: NewOperation,
    /// Names for the ids in it.
    pub(crate) names: Vec<(ProjectId, &'static str)>,
    /// What a failure must leave.
    pub(crate) before: Vec<String>,
}

/// Every saga.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case { kind: OperationKind::ProjectCreate, arrange: |cloud| Box::pin(project_create(cloud)) },
        Case { kind: OperationKind::ProjectDelete, arrange: |cloud| Box::pin(project_delete(cloud)) },
        Case { kind: OperationKind::ProjectPause, arrange: |cloud| Box::pin(project_pause(cloud)) },
        Case { kind: OperationKind::ProjectRestore, arrange: |cloud| Box::pin(project_restore(cloud)) },
        Case { kind: OperationKind::ProjectRestart, arrange: |cloud| Box::pin(project_restart(cloud)) },
        Case { kind: OperationKind::BranchCreate, arrange: |cloud| Box::pin(branch_create(cloud)) },
        Case { kind: OperationKind::BranchDelete, arrange: |cloud| Box::pin(branch_delete(cloud)) },
        Case { kind: OperationKind::BranchReset, arrange: |cloud| Box::pin(branch_reset(cloud)) },
        Case { kind: OperationKind::BranchMerge, arrange: |cloud| Box::pin(branch_merge(cloud)) },
    ]
}

async fn set_intent(cloud: &Cloud, project_id: ProjectId, intent: Intent) {
    let mut conn = cloud.pool().acquire().await.expect("a connection");
    store::projects::set_intent(&mut conn, project_id, intent).await.expect("updated");
}

async fn on_project(
    cloud: &Cloud,
    kind: OperationKind,
    project_id: ProjectId,
    names: Vec<(ProjectId, &'static str)>,
) -> Arranged {
    let before = cloud.remains(&names).await;
    Arranged { operation: cloud.operation(kind, project_id, &ProjectInput { project_id }), names, before }
}

async fn project_create(cloud: &Cloud) -> Arranged {
    let before = cloud.remains(&[]).await;
    let project_id = cloud.insert_project(None).await;
    let arranged = on_project(cloud, OperationKind::ProjectCreate, project_id, vec![(project_id, "project")]).await;
    Arranged { before, ..arranged }
}

async fn project_delete(cloud: &Cloud) -> Arranged {
    let project_id = cloud.serving_project().await;
    let branch_id = cloud.serving_branch(project_id).await;
    on_project(cloud, OperationKind::ProjectDelete, project_id, vec![(project_id, "project"), (branch_id, "branch")])
        .await
}

async fn project_pause(cloud: &Cloud) -> Arranged {
    let project_id = cloud.serving_project().await;
    let arranged = on_project(cloud, OperationKind::ProjectPause, project_id, vec![(project_id, "project")]).await;
    set_intent(cloud, project_id, Intent::Paused).await;
    arranged
}

async fn project_restore(cloud: &Cloud) -> Arranged {
    let pause = project_pause(cloud).await;
    assert_eq!(cloud.carry_out(&pause.operation).await.state, OperationState::Succeeded);
    let project_id = pause.names[0].0;
    let arranged = on_project(cloud, OperationKind::ProjectRestore, project_id, pause.names).await;
    set_intent(cloud, project_id, Intent::Active).await;
    arranged
}

async fn project_restart(cloud: &Cloud) -> Arranged {
    let project_id = cloud.serving_project().await;
    let names = vec![(project_id, "project")];
    let input = ProjectRestartInput {
        project_id,
        service_version: Some("v2.3.0".to_owned()),
        instance_type: Some("small".to_owned()),
    };
    let before = cloud.remains(&names).await;
    Arranged { operation: cloud.operation(OperationKind::ProjectRestart, project_id, &input), names, before }
}

async fn branch_create(cloud: &Cloud) -> Arranged {
    let parent_id = cloud.serving_project().await;
    cloud.fake.put_mark(parent_id, "fn hello v1");
    let before = cloud.remains(&[(parent_id, "parent")]).await;
    let mode = BranchMode::SchemaOnly;
    let branch_id = cloud.insert_project(Some((parent_id, mode))).await;
    let input = BranchCreateInput { branch_id, parent_id, mode };
    let operation = cloud.operation(OperationKind::BranchCreate, branch_id, &input);
    Arranged { operation, names: vec![(parent_id, "parent"), (branch_id, "branch")], before }
}

async fn branch_of_project(cloud: &Cloud) -> Vec<(ProjectId, &'static str)> {
    let parent_id = cloud.serving_project().await;
    cloud.fake.put_mark(parent_id, "fn hello v1");
    let branch_id = cloud.serving_branch(parent_id).await;
    vec![(parent_id, "parent"), (branch_id, "branch")]
}

async fn branch_delete(cloud: &Cloud) -> Arranged {
    let names = branch_of_project(cloud).await;
    on_project(cloud, OperationKind::BranchDelete, names[1].0, names).await
}

async fn branch_reset(cloud: &Cloud) -> Arranged {
    let names = branch_of_project(cloud).await;
    cloud.fake.put_mark(names[1].0, "fn hello v2");
    let mut conn = cloud.pool().acquire().await.expect("a connection");
    store::branches::set_merged(&mut conn, names[1].0, true).await.expect("updated");
    on_project(cloud, OperationKind::BranchReset, names[1].0, names).await
}

async fn branch_merge(cloud: &Cloud) -> Arranged {
    let names = branch_of_project(cloud).await;
    merge_of(cloud, names, false).await
}

/// A merge of a branch that changed something the parent did not.
pub(crate) async fn merge_of(cloud: &Cloud, mut names: Vec<(ProjectId, &'static str)>, dry_run: bool) -> Arranged {
    let (parent_id, branch_id, rehearsal_id) = (names[0].0, names[1].0, ProjectId::generate());
    cloud.fake.put_mark(branch_id, "fn hello v2");
    cloud.fake.put_mark(parent_id, "fn other v1");
    names.push((rehearsal_id, "rehearsal"));
    let input = BranchMergeInput { branch_id, parent_id, rehearsal_id, dry_run, expected_plan_hash: None };
    let before = cloud.remains(&names).await;
    Arranged { operation: cloud.operation(OperationKind::BranchMerge, branch_id, &input), names, before }
}

/// A parent and its branch, both serving.
pub(crate) async fn family(cloud: &Cloud) -> Vec<(ProjectId, &'static str)> {
    branch_of_project(cloud).await
}
