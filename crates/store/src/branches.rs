//! What branches remember of their origin. The branch itself is a row of `projects`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ids::{OrganizationId, ProjectId};
use saga::operations::BranchMode;
use serde_json::value::RawValue;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

/// A branch's own columns, without the (large) base.
#[derive(Clone, Debug)]
pub struct Branch {
    /// The branch.
    pub project_id: ProjectId,
    /// How it started; fixed.
    pub mode: BranchMode,
    /// Whether it was merged since its creation or last reset.
    pub merged: bool,
    /// Hash of the parent as the next merge sees it; absent before the branch is made.
    pub base_hash: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
}

/// The recorded word of a mode.
#[must_use]
pub const fn mode_word(mode: BranchMode) -> &'static str {
    match mode {
        BranchMode::Full => "full",
        BranchMode::SchemaOnly => "schema-only",
    }
}

struct Row {
    project_id: Uuid,
    mode: String,
    merged: bool,
    base_hash: Option<String>,
    created_at: DateTime<Utc>,
}

impl From<Row> for Branch {
    fn from(row: Row) -> Self {
        // A check constraint allows no third word.
        let mode = if row.mode == "full" { BranchMode::Full } else { BranchMode::SchemaOnly };
        let Row { project_id, merged, base_hash, created_at, .. } = row;
        Self { project_id: project_id.into(), mode, merged, base_hash, created_at }
    }
}

/// Adds a branch to its project row.
pub async fn insert(
    conn: &mut PgConnection,
    project_id: ProjectId,
    mode: BranchMode,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into branches (project_id, mode, created_at) values ($1, $2, $3)",
        project_id.as_uuid(),
        mode_word(mode),
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A branch.
pub async fn find(conn: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<Option<Branch>> {
    let row = sqlx::query_as!(
        Row,
        "select project_id, mode, merged, base_hash, created_at from branches where project_id = $1",
        project_id.as_uuid()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Branch::from))
}

/// Several branches, by id.
pub async fn find_all(conn: &mut PgConnection, project_ids: &[ProjectId]) -> sqlx::Result<HashMap<ProjectId, Branch>> {
    let project_ids: Vec<Uuid> = project_ids.iter().copied().map(Uuid::from).collect();
    let rows = sqlx::query_as!(
        Row,
        "select project_id, mode, merged, base_hash, created_at from branches where project_id = any($1)",
        &project_ids
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.project_id.into(), row.into())).collect())
}

/// The parent as the next merge's base, with its hash; absent before the branch is made.
pub async fn base(conn: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<Option<(Box<RawValue>, String)>> {
    let row = sqlx::query!(
        r#"select base as "base: Json<Box<RawValue>>", base_hash from branches where project_id = $1 and base is not null"#,
        project_id.as_uuid()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.and_then(|row| Some((row.base?.0, row.base_hash?))))
}

/// Sets the base of the next merge. The first one is also kept as the branch's origin.
pub async fn set_base(conn: &mut PgConnection, project_id: ProjectId, base: &RawValue, hash: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update branches
         set base = $2, base_hash = $3, origin = coalesce(origin, $2), origin_hash = coalesce(origin_hash, $3)
         where project_id = $1",
        project_id.as_uuid(),
        Json(base) as _,
        hash
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts the base back to the parent at creation and forgets merges: the branch was reset. An undo of an earlier merge leaves that alone.
pub async fn reset_base(conn: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<()> {
    crate::merges::keep_base(conn, project_id).await?;
    sqlx::query!(
        "update branches set base = origin, base_hash = origin_hash, merged = false where project_id = $1",
        project_id.as_uuid()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Records whether the branch was merged since its creation or last reset.
pub async fn set_merged(conn: &mut PgConnection, project_id: ProjectId, merged: bool) -> sqlx::Result<()> {
    sqlx::query!("update branches set merged = $2 where project_id = $1", project_id.as_uuid(), merged)
        .execute(conn)
        .await?;
    Ok(())
}

/// How many branches count against quotas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Those of this parent.
    pub of_parent: i64,
    /// Projects of the organization, this parent excepted, that have any.
    pub other_parents: i64,
}

/// Counts branches that are neither deleted, nor merged, nor failed while nothing works on them.
pub async fn count(
    conn: &mut PgConnection,
    organization_id: OrganizationId,
    parent_id: ProjectId,
) -> sqlx::Result<Counts> {
    let row = sqlx::query!(
        r#"select count(*) filter (where p.parent_id = $2) as "of_parent!",
                  count(distinct p.parent_id) filter (where p.parent_id <> $2) as "other_parents!"
           from projects p join branches b on b.project_id = p.id
           where p.organization_id = $1 and p.deleted_at is null and p.intent <> 'deleted' and not b.merged
             and (p.observed <> 'absent' or exists (
                 select from operations o
                 where o.project_id = p.id and o.state in ('queued', 'running', 'unwinding', 'stuck')))"#,
        organization_id.as_uuid(),
        parent_id.as_uuid()
    )
    .fetch_one(conn)
    .await?;
    Ok(Counts { of_parent: row.of_parent, other_parents: row.other_parents })
}
