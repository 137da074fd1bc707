//! What each saga needs before it can run. A new saga is covered by adding it here.

use futures::future::BoxFuture;
use ids::ProjectId;
use model::projects::Intent;
use saga::{
    OperationKind,
    operations::{BranchCreateInput, BranchMergeInput, BranchMode, MergeDirection, ProjectInput, ProjectRestartInput},
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
        Case { kind: OperationKind::BranchUpdate, arrange: |cloud| Box::pin(branch_update(cloud)) },
        Case { kind: OperationKind::BranchMergeUndo, arrange: |cloud| Box::pin(branch_merge_undo(cloud)) },
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

async fn branch_update(cloud: &Cloud) -> Arranged {
    let names = branch_of_project(cloud).await;
    cloud.fake.put_mark(names[0].0, "fn hello v3");
    cloud.fake.put_mark(names[1].0, "fn own v1");
    arranged(cloud, names, OperationKind::BranchUpdate, |input| input.direction = MergeDirection::IntoBranch).await
}

async fn branch_merge_undo(cloud: &Cloud) -> Arranged {
    let names = branch_of_project(cloud).await;
    undo_of(cloud, names).await
}

/// The undo of a merge that has just been made.
pub(crate) async fn undo_of(cloud: &Cloud, names: Vec<(ProjectId, &'static str)>) -> Arranged {
    let merge = merge_of(cloud, names.clone(), false).await;
    assert_eq!(cloud.carry_out(&merge.operation).await.state, OperationState::Succeeded);
    arranged(cloud, names, OperationKind::BranchMergeUndo, |input| {
        input.direction = MergeDirection::Undo;
        input.undoes = Some(merge.operation.id);
    })
    .await
}

/// A merge of a branch that changed something the parent did not.
pub(crate) async fn merge_of(cloud: &Cloud, names: Vec<(ProjectId, &'static str)>, dry_run: bool) -> Arranged {
    cloud.fake.put_mark(names[1].0, "fn hello v2");
    cloud.fake.put_mark(names[0].0, "fn other v1");
    arranged(cloud, names, OperationKind::BranchMerge, |input| input.dry_run = dry_run).await
}

async fn arranged(
    cloud: &Cloud,
    mut names: Vec<(ProjectId, &'static str)>,
    kind: OperationKind,
    change: impl FnOnce(&mut BranchMergeInput),
) -> Arranged {
    let (parent_id, branch_id) = (names[0].0, names[1].0);
    let mut input = BranchMergeInput::new(branch_id, parent_id, MergeDirection::IntoParent);
    change(&mut input);
    names.push((input.rehearsal_id, "rehearsal"));
    let before = cloud.remains(&names).await;
    Arranged { operation: cloud.operation(kind, branch_id, &input), names, before }
}

/// Whether it is a merge, an update or an undo.
pub(crate) fn is_merge(kind: OperationKind) -> bool {
    matches!(kind, OperationKind::BranchMerge | OperationKind::BranchUpdate | OperationKind::BranchMergeUndo)
}

/// A parent and its branch, both serving.
pub(crate) async fn family(cloud: &Cloud) -> Vec<(ProjectId, &'static str)> {
    branch_of_project(cloud).await
}
