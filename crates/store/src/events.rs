//! Events: written with the change they tell of, published in an order that can be followed, kept for a while.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use ids::{EventId, OrganizationId, PartnerId, ProjectId};
use model::events::{EventType, Owner};
use saga::OperationKind;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::parse;

/// Something that happened.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// What.
    pub kind: EventType,
    /// Whose organization's.
    pub organization_id: OrganizationId,
    /// Through which partner.
    pub partner_id: Option<PartnerId>,
    /// Which project or branch; absent when it concerns the organization as a whole.
    pub project_id: Option<ProjectId>,
    /// What a receiver is told. No secrets.
    pub data: Value,
}

/// An event that is published.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its id, the same in every delivery.
    pub id: EventId,
    /// Where it stands in the order.
    pub position: i64,
    /// What happened.
    pub kind: EventType,
    /// What a receiver is told.
    pub data: Value,
    /// When it happened.
    pub created_at: DateTime<Utc>,
}

struct Row {
    id: Uuid,
    position: i64,
    r#type: String,
    data: Value,
    created_at: DateTime<Utc>,
}

impl TryFrom<Row> for Event {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        let Row { id, position, r#type, data, created_at } = row;
        Ok(Self { id: id.into(), position, kind: parse(&r#type)?, data, created_at })
    }
}

/// Adds an event to the transaction of the change it tells of. The caller holds the lock of the project's row, so that a project's events are
/// numbered in the order in which they happen.
pub async fn insert(conn: &mut PgConnection, event: &NewEvent, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into events (id, type, organization_id, partner_id, project_id, data, created_at) values ($1, $2, $3, $4, $5, $6, $7)",
        EventId::generate().as_uuid(),
        event.kind.as_str(),
        event.organization_id.as_uuid(),
        event.partner_id.map(|id| id.as_uuid()),
        event.project_id.map(Uuid::from),
        event.data,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What the end of an operation is told as. The first column is the operation's kind, with `+instance_type`, `+version` or `+dry_run` where
/// its input says so; what is not here is not told.
const ENDINGS: &[(&str, EventType, EventType)] = {
    use EventType::{
        BranchCreated, BranchCreationFailed, BranchDeleted, BranchMergeUndone, BranchMerged, BranchOperationFailed,
        BranchReset, BranchUpdated, ProjectCreated, ProjectCreationFailed, ProjectDeleted, ProjectInstanceChanged,
        ProjectOperationFailed, ProjectPaused, ProjectRestarted, ProjectRestored, ProjectVersionChanged,
    };
    &[
        (OperationKind::ProjectCreate.as_str(), ProjectCreated, ProjectCreationFailed),
        (OperationKind::ProjectPause.as_str(), ProjectPaused, ProjectOperationFailed),
        (OperationKind::ProjectRestore.as_str(), ProjectRestored, ProjectOperationFailed),
        (OperationKind::ProjectRestart.as_str(), ProjectRestarted, ProjectOperationFailed),
        ("project_restart+instance_type", ProjectInstanceChanged, ProjectOperationFailed),
        ("project_restart+version", ProjectVersionChanged, ProjectOperationFailed),
        (OperationKind::ProjectDelete.as_str(), ProjectDeleted, ProjectOperationFailed),
        (OperationKind::BranchCreate.as_str(), BranchCreated, BranchCreationFailed),
        (OperationKind::BranchReset.as_str(), BranchReset, BranchOperationFailed),
        (OperationKind::BranchMerge.as_str(), BranchMerged, BranchOperationFailed),
        (OperationKind::BranchUpdate.as_str(), BranchUpdated, BranchOperationFailed),
        (OperationKind::BranchMergeUndo.as_str(), BranchMergeUndone, BranchOperationFailed),
        (OperationKind::BranchDelete.as_str(), BranchDeleted, BranchOperationFailed),
    ]
};

/// The columns of [`ENDINGS`], for a statement.
pub(crate) struct Endings {
    pub(crate) keys: Vec<String>,
    pub(crate) succeeded: Vec<String>,
    pub(crate) failed: Vec<String>,
}

pub(crate) static ENDING_COLUMNS: LazyLock<Endings> = LazyLock::new(|| Endings {
    keys: ENDINGS.iter().map(|(key, _, _)| (*key).to_owned()).collect(),
    succeeded: ENDINGS.iter().map(|(_, succeeded, _)| succeeded.as_str().to_owned()).collect(),
    failed: ENDINGS.iter().map(|(_, _, failed)| failed.as_str().to_owned()).collect(),
});

/// Events that one round publishes at most.
const ROUND: i64 = 500;

/// Gives committed events their positions and notes their deliveries. True when there may be more. Does nothing while somebody else is at it.
/// Runs in a transaction of its own: until its end the head and the endpoints concerned are locked.
pub async fn publish(conn: &mut PgConnection, at: DateTime<Utc>) -> sqlx::Result<bool> {
    let head = sqlx::query_scalar!("select position from event_head for update skip locked").fetch_optional(&mut *conn);
    let Some(head) = head.await? else { return Ok(false) };
    let published = sqlx::query_scalar!(
        r#"with fresh as (
               select id, $1 + row_number() over (order by number) as position
               from (select id, number from events where position is null order by number limit $2) f
           ), placed as (
               update events set position = fresh.position from fresh where events.id = fresh.id returning events.position
           )
           select max(position) from placed"#,
        head,
        ROUND
    )
    .fetch_one(&mut *conn)
    .await?;
    let Some(newest) = published else { return Ok(false) };
    sqlx::query!("update event_head set position = $1", newest).execute(&mut *conn).await?;
    lock_endpoints(conn, head, newest).await?;
    address(conn, head, newest, at).await?;
    Ok(newest - head == ROUND)
}

/// Nobody else decides what is next in a lane of these endpoints until the transaction ends.
async fn lock_endpoints(conn: &mut PgConnection, after: i64, until: i64) -> sqlx::Result<()> {
    sqlx::query!(
        "select id from webhook_endpoints
         where disabled_at is null and id in (
             select w.id from events e join webhook_endpoints w on w.organization_id = e.organization_id
             where e.position > $1 and e.position <= $2
             union all
             select w.id from events e join webhook_endpoints w on w.partner_id = e.partner_id
             where e.position > $1 and e.position <= $2)
         order by id for no key update",
        after,
        until
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

/// Notes a delivery of each event for each endpoint that wants it. The first in a lane where none waits is due at once.
async fn address(conn: &mut PgConnection, after: i64, until: i64, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "with wanted as (
             select w.id as endpoint_id, e.id as event_id, coalesce(e.project_id, e.organization_id) as lane, e.position
             from events e
             join webhook_endpoints w on w.organization_id = e.organization_id or w.partner_id = e.partner_id
             where e.position > $1 and e.position <= $2 and w.disabled_at is null and (w.types is null or e.type = any(w.types))
         )
         insert into webhook_deliveries (id, endpoint_id, event_id, lane, position, state, next_try_at, created_at)
         select gen_random_uuid(), endpoint_id, event_id, lane, position, 'pending',
                case when row_number() over (partition by endpoint_id, lane order by position) = 1 and not exists (
                    select from webhook_deliveries d
                    where d.endpoint_id = wanted.endpoint_id and d.lane = wanted.lane and d.state = 'pending' and not d.manual
                ) then $3::timestamptz end, $3
         from wanted
         on conflict (endpoint_id, event_id) do nothing",
        after,
        until,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Published events of an owner after a position, oldest first.
pub async fn list(conn: &mut PgConnection, owner: Owner, after: i64, limit: i64) -> sqlx::Result<Vec<Event>> {
    let rows = match owner {
        Owner::Organization(id) => {
            sqlx::query_as!(
                Row,
                r#"select id, position as "position!", type, data, created_at from events
                   where organization_id = $1 and position > $2 order by position limit $3"#,
                id.as_uuid(),
                after,
                limit
            )
            .fetch_all(conn)
            .await?
        }
        Owner::Partner(id) => {
            sqlx::query_as!(
                Row,
                r#"select id, position as "position!", type, data, created_at from events
                   where partner_id = $1 and position > $2 order by position limit $3"#,
                id.as_uuid(),
                after,
                limit
            )
            .fetch_all(conn)
            .await?
        }
    };
    rows.into_iter().map(Event::try_from).collect()
}

/// Forgets published events from before `at` with their deliveries, some at a time. True when there may be more.
pub async fn prune(conn: &mut PgConnection, at: DateTime<Utc>) -> sqlx::Result<bool> {
    const SOME: u64 = 1000;
    let gone = sqlx::query!(
        "delete from events where id in (
             select id from events where created_at < $1 and position is not null order by created_at limit 1000 for update skip locked)",
        at
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected() == SOME)
}
