//! What unfinished operations are doing to projects now.

use std::collections::HashMap;

use ids::{OperationId, ProjectId};
use model::projects::Activity;
use saga::OperationKind;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::parse;

/// The one unfinished operation of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its id.
    pub operation_id: OperationId,
    /// What it does.
    pub activity: Activity,
}

fn activity(kind: OperationKind, version: bool, instance_type: bool, dry_run: bool) -> Activity {
    match kind {
        OperationKind::ProjectCreate | OperationKind::BranchCreate => Activity::Creating,
        OperationKind::ProjectDelete | OperationKind::BranchDelete => Activity::Deleting,
        OperationKind::ProjectPause => Activity::Pausing,
        OperationKind::ProjectRestore => Activity::Restoring,
        OperationKind::ProjectRestart if instance_type => Activity::ChangingInstanceType,
        OperationKind::ProjectRestart if version => Activity::UpdatingVersion,
        OperationKind::ProjectRestart => Activity::Restarting,
        OperationKind::BranchReset => Activity::Resetting,
        OperationKind::BranchMerge | OperationKind::BranchUpdate | OperationKind::BranchMergeUndo if dry_run => {
            Activity::PlanningMerge
        }
        OperationKind::BranchMerge | OperationKind::BranchUpdate | OperationKind::BranchMergeUndo => Activity::Merging,
    }
}

/// The unfinished operations of these projects.
pub async fn running(conn: &mut PgConnection, project_ids: &[ProjectId]) -> sqlx::Result<HashMap<ProjectId, Running>> {
    let project_ids: Vec<Uuid> = project_ids.iter().copied().map(Uuid::from).collect();
    let rows = sqlx::query!(
        r#"select id, project_id as "project_id!", kind,
                  coalesce(input ->> 'service_version', '') <> '' as "version!",
                  coalesce(input ->> 'instance_type', '') <> '' as "instance_type!",
                  coalesce((input ->> 'dry_run')::boolean, false) as "dry_run!"
           from operations
           where project_id = any($1) and state in ('queued', 'running', 'unwinding', 'stuck')"#,
        &project_ids
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let activity = activity(parse(&row.kind)?, row.version, row.instance_type, row.dry_run);
            Ok((row.project_id.into(), Running { operation_id: row.id.into(), activity }))
        })
        .collect()
}

/// Whether an unfinished operation reads or changes this project through one of its branches: creating, merging or resetting one.
pub async fn branch_running(conn: &mut PgConnection, parent_id: ProjectId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from operations o join projects p on p.id = o.project_id
               where p.parent_id = $1 and o.state in ('queued', 'running', 'unwinding', 'stuck')
                 and o.kind in ('branch_create', 'branch_merge', 'branch_merge_undo', 'branch_update', 'branch_reset')
           ) as "running!""#,
        parent_id.as_uuid()
    )
    .fetch_one(conn)
    .await
}
