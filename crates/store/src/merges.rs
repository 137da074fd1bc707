//! Merges into parents, for as long as something is kept for their undo, and the documents that merges write down.

use chrono::{DateTime, Utc};
use ids::{OperationId, ProjectId};
use serde_json::{Value, value::RawValue};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

/// What became of a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeState {
    /// It can be undone.
    Open,
    /// The branch has moved on; what was kept waits for its removal.
    Superseded,
    /// It was undone; what was kept waits for its removal.
    Undone,
    /// Nothing is kept.
    Closed,
}

impl MergeState {
    /// The recorded word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Superseded => "superseded",
            Self::Undone => "undone",
            Self::Closed => "closed",
        }
    }
}

/// A merge as it is recorded.
#[derive(Clone, Debug)]
pub struct NewMerge {
    /// The operation that merged.
    pub operation_id: OperationId,
    /// The branch.
    pub branch_id: ProjectId,
    /// Its parent.
    pub parent_id: ProjectId,
    /// When.
    pub merged_at: DateTime<Utc>,
    /// Until when it can be undone.
    pub undo_until: DateTime<Utc>,
    /// What the parent keeps.
    pub shadow: Option<Value>,
}

/// A merge that can be undone.
#[derive(Clone, Debug)]
pub struct OpenMerge {
    /// The operation that merged.
    pub operation_id: OperationId,
    /// Until when it can be undone.
    pub undo_until: DateTime<Utc>,
    /// What the parent keeps.
    pub shadow: Option<Value>,
}

/// What a parent keeps.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The operation that merged.
    pub operation_id: OperationId,
    /// The branch.
    pub branch_id: ProjectId,
    /// The parent.
    pub parent_id: ProjectId,
    /// Of the merge.
    pub shadow: Option<Value>,
    /// Of its undo.
    pub undo_shadow: Option<Value>,
}

/// Records a merge with what its branch was before. Recording it again changes nothing. Call it before the branch's base is changed.
pub async fn insert(conn: &mut PgConnection, merge: &NewMerge) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into merges (operation_id, branch_id, parent_id, state, merged_at, undo_until, shadow,
                             previous_base, previous_base_hash, previous_merged)
         select $1, $2, $3, 'open', $4, $5, $6, b.base, b.base_hash, b.merged from branches b where b.project_id = $2
         on conflict (operation_id) do nothing",
        merge.operation_id.as_uuid(),
        merge.branch_id.as_uuid(),
        merge.parent_id.as_uuid(),
        merge.merged_at,
        merge.undo_until,
        merge.shadow,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The newest merge of a branch, if it can be undone at this moment.
pub async fn open(
    conn: &mut PgConnection,
    branch_id: ProjectId,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<OpenMerge>> {
    let row = sqlx::query!(
        "select operation_id, undo_until, shadow from merges
         where branch_id = $1 and state = 'open' and undo_until > $2 order by merged_at desc limit 1",
        branch_id.as_uuid(),
        now,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| OpenMerge {
        operation_id: row.operation_id.into(),
        undo_until: row.undo_until,
        shadow: row.shadow,
    }))
}

/// One merge that can be undone, whatever the time: its undo has begun.
pub async fn find_open(conn: &mut PgConnection, operation_id: OperationId) -> sqlx::Result<Option<OpenMerge>> {
    let row = sqlx::query!(
        "select operation_id, undo_until, shadow from merges where operation_id = $1 and state = 'open'",
        operation_id.as_uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| OpenMerge {
        operation_id: row.operation_id.into(),
        undo_until: row.undo_until,
        shadow: row.shadow,
    }))
}

/// Records that a merge was undone, gives the branch back what it was before, and keeps what the undo kept until then.
pub async fn undo(
    conn: &mut PgConnection,
    operation_id: OperationId,
    undo_shadow: Option<&Value>,
    until: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "with undone as (
             update merges set state = 'undone', undo_shadow = $2, undo_until = $3
             where operation_id = $1 and state = 'open'
             returning branch_id, restores_base, previous_base, previous_base_hash, previous_merged
         )
         update branches b set base = u.previous_base, base_hash = u.previous_base_hash, merged = u.previous_merged
         from undone u where b.project_id = u.branch_id and u.restores_base",
        operation_id.as_uuid(),
        undo_shadow,
        until,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The branch was updated from its parent: its merges can no longer be undone.
pub async fn supersede(conn: &mut PgConnection, branch_id: ProjectId) -> sqlx::Result<()> {
    sqlx::query!("update merges set state = 'superseded' where branch_id = $1 and state = 'open'", branch_id.as_uuid())
        .execute(conn)
        .await?;
    Ok(())
}

/// The branch was reset: an undo leaves its base alone from now on.
pub async fn keep_base(conn: &mut PgConnection, branch_id: ProjectId) -> sqlx::Result<()> {
    sqlx::query!(
        "update merges set restores_base = false where branch_id = $1 and state = 'open'",
        branch_id.as_uuid()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Everything of earlier merges that is kept in this parent.
pub async fn kept_by_parent(conn: &mut PgConnection, parent_id: ProjectId) -> sqlx::Result<Vec<Kept>> {
    sqlx::query_as!(
        KeptRow,
        "select operation_id, branch_id, parent_id, shadow, undo_shadow from merges
         where parent_id = $1 and state <> 'closed' order by merged_at",
        parent_id.as_uuid(),
    )
    .fetch_all(conn)
    .await
    .map(|rows| rows.into_iter().map(Kept::from).collect())
}

/// What a branch may have inherited: everything its parent kept at some time, of merges before the branch was made.
pub async fn inherited_by_branch(conn: &mut PgConnection, branch_id: ProjectId) -> sqlx::Result<Vec<Kept>> {
    sqlx::query_as!(
        KeptRow,
        "select m.operation_id, m.branch_id, m.parent_id, m.shadow, m.undo_shadow
         from merges m join projects p on p.parent_id = m.parent_id
         where p.id = $1 and m.merged_at < p.created_at + interval '1 hour' order by m.merged_at",
        branch_id.as_uuid(),
    )
    .fetch_all(conn)
    .await
    .map(|rows| rows.into_iter().map(Kept::from).collect())
}

/// Merges whose time has run out.
pub async fn expired(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Vec<Kept>> {
    sqlx::query_as!(
        KeptRow,
        "select operation_id, branch_id, parent_id, shadow, undo_shadow from merges
         where state <> 'closed' and undo_until <= $1 order by undo_until limit 100",
        now,
    )
    .fetch_all(conn)
    .await
    .map(|rows| rows.into_iter().map(Kept::from).collect())
}

struct KeptRow {
    operation_id: Uuid,
    branch_id: Uuid,
    parent_id: Uuid,
    shadow: Option<Value>,
    undo_shadow: Option<Value>,
}

impl From<KeptRow> for Kept {
    fn from(row: KeptRow) -> Self {
        Self {
            operation_id: row.operation_id.into(),
            branch_id: row.branch_id.into(),
            parent_id: row.parent_id.into(),
            shadow: row.shadow,
            undo_shadow: row.undo_shadow,
        }
    }
}

/// Nothing is kept of this merge any more.
pub async fn close(conn: &mut PgConnection, operation_id: OperationId) -> sqlx::Result<()> {
    sqlx::query!(
        "update merges set state = 'closed', previous_base = null where operation_id = $1",
        operation_id.as_uuid()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Another merge into this parent has removed everything that was kept there, except what it keeps itself.
pub async fn close_others(conn: &mut PgConnection, parent_id: ProjectId, except: OperationId) -> sqlx::Result<()> {
    sqlx::query!(
        "update merges set state = 'closed', previous_base = null
         where parent_id = $1 and operation_id <> $2 and state <> 'closed'",
        parent_id.as_uuid(),
        except.as_uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes a document of an operation down, or replaces it.
pub async fn set_document(
    conn: &mut PgConnection,
    operation_id: OperationId,
    name: &str,
    body: &RawValue,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into operation_documents (operation_id, name, body) values ($1, $2, $3)
         on conflict (operation_id, name) do update set body = excluded.body",
        operation_id.as_uuid(),
        name,
        Json(body) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A document of an operation.
pub async fn document(
    conn: &mut PgConnection,
    operation_id: OperationId,
    name: &str,
) -> sqlx::Result<Option<Json<Box<RawValue>>>> {
    sqlx::query_scalar!(
        r#"select body as "body: Json<Box<RawValue>>" from operation_documents where operation_id = $1 and name = $2"#,
        operation_id.as_uuid(),
        name,
    )
    .fetch_optional(conn)
    .await
}

/// Removes the documents of operations that have ended, except of merges that can still be undone; says how many.
pub async fn forget_documents(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "delete from operation_documents d
         using operations o
         where o.id = d.operation_id and o.state in ('succeeded', 'failed')
           and not exists (select from merges m where m.operation_id = d.operation_id and m.state = 'open')",
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
