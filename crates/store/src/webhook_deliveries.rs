//! Deliveries of events: which is due, that somebody makes it, and what came of it.
//!
//! Within a lane only the oldest pending delivery has a time; the next one gets its own when that is done. Whoever decides this holds the lock
//! of the endpoint's row.

use chrono::{DateTime, Utc};
use ids::{EventId, WebhookDeliveryId, WebhookEndpointId};
use model::events::EventType;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{events::Event, parse};

/// A delivery that the caller is to make now.
#[derive(Clone, Debug)]
pub struct Due {
    /// Its id.
    pub id: WebhookDeliveryId,
    /// To whom.
    pub endpoint_id: WebhookEndpointId,
    /// Where that is.
    pub url: String,
    /// Counts this attempt. Whoever finishes it must name the same number.
    pub attempt: i32,
    /// Whether it was asked for by hand.
    pub manual: bool,
    /// Since when it is tried.
    pub created_at: DateTime<Utc>,
    /// What is delivered.
    pub event: Event,
}

/// Takes due deliveries: at most `limit`, and so many to one endpoint that `per_endpoint` are under way. One that is not finished before
/// `lost_at` is due again.
pub async fn claim(
    conn: &mut PgConnection,
    at: DateTime<Utc>,
    lost_at: DateTime<Utc>,
    limit: i64,
    per_endpoint: i64,
) -> sqlx::Result<Vec<Due>> {
    let rows = sqlx::query!(
        r#"with recursive busy as (
               (select endpoint_id from webhook_deliveries where state = 'pending' and next_try_at is not null order by endpoint_id limit 1)
               union all
               select (select d.endpoint_id from webhook_deliveries d
                       where d.state = 'pending' and d.next_try_at is not null and d.endpoint_id > b.endpoint_id
                       order by d.endpoint_id limit 1)
               from busy b where b.endpoint_id is not null
           ), due as (
               select found.id from busy b
               cross join lateral (
                   select d.id from webhook_deliveries d
                   where d.endpoint_id = b.endpoint_id and d.state = 'pending' and d.next_try_at <= $1
                   order by d.next_try_at
                   limit greatest(0, $4 - (
                       select count(*) from webhook_deliveries f
                       where f.endpoint_id = b.endpoint_id and f.in_flight and f.next_try_at > $1))
               ) found
               where b.endpoint_id is not null
           ), taken as (
               select d.id from webhook_deliveries d
               where d.id in (select id from due) and d.state = 'pending' and d.next_try_at <= $1
               order by d.next_try_at limit $3 for update skip locked
           )
           update webhook_deliveries d set in_flight = true, attempts = d.attempts + 1, next_try_at = $2
           from taken, events e, webhook_endpoints w
           where d.id = taken.id and e.id = d.event_id and w.id = d.endpoint_id
           returning d.id, d.endpoint_id, d.attempts, d.manual, d.created_at, w.url, e.id as event_id, d.position, e.type as kind, e.data,
                     e.created_at as happened_at"#,
        at,
        lost_at,
        limit,
        per_endpoint
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let (id, position, data) = (row.event_id.into(), row.position, row.data);
            let event = Event { id, position, kind: parse(&row.kind)?, data, created_at: row.happened_at };
            Ok(Due {
                id: row.id.into(),
                endpoint_id: row.endpoint_id.into(),
                url: row.url,
                attempt: row.attempts,
                manual: row.manual,
                created_at: row.created_at,
                event,
            })
        })
        .collect()
}

/// What an attempt came to.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The receiver's status, if it answered.
    pub status: Option<u16>,
    /// Why it counts as failed.
    pub error: Option<String>,
    /// How long it took.
    pub duration_ms: i32,
    /// When it ended.
    pub at: DateTime<Utc>,
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It was taken.
    Delivered,
    /// It is tried again then.
    Again(DateTime<Utc>),
    /// It is given up.
    GiveUp,
}

/// Records an attempt and what follows, and lets the next delivery of the lane come. False when somebody else has taken the delivery over: nothing
/// was written. The caller's transaction is short, because it locks the endpoint.
pub async fn finish(conn: &mut PgConnection, due: &Due, attempt: &Attempt, next: Next) -> sqlx::Result<bool> {
    if !crate::webhook_endpoints::lock(conn, due.endpoint_id).await? {
        return Ok(false);
    }
    let (state, again) = match next {
        Next::Delivered => ("delivered", None),
        Next::Again(at) => ("pending", Some(at)),
        Next::GiveUp => ("failed", None),
    };
    let written = sqlx::query!(
        "with done as (
             update webhook_deliveries d
             set state = $3, in_flight = false, next_try_at = case when w.disabled_at is null then $4::timestamptz end,
                 finished_at = case when $3 <> 'pending' then $5::timestamptz end
             from webhook_endpoints w
             where d.id = $1 and d.attempts = $2 and d.in_flight and w.id = d.endpoint_id
             returning d.id
         )
         insert into webhook_attempts (delivery_id, number, status, error, duration_ms, at)
         select id, $2, $6, $7, $8, $5 from done",
        due.id.as_uuid(),
        due.attempt,
        state,
        again,
        attempt.at,
        attempt.status.map(i32::from),
        attempt.error,
        attempt.duration_ms
    )
    .execute(&mut *conn)
    .await?;
    if written.rows_affected() == 0 {
        return Ok(false);
    }
    if state != "pending" && !due.manual {
        advance_lanes(conn, due.endpoint_id, Some(due.id), attempt.at).await?;
    }
    Ok(true)
}

/// Makes the oldest pending delivery of each lane due, or of the lane of one delivery, unless the endpoint is disabled. The caller holds the endpoint's lock.
pub async fn advance_lanes(
    conn: &mut PgConnection,
    endpoint_id: WebhookEndpointId,
    lane_of: Option<WebhookDeliveryId>,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update webhook_deliveries d set next_try_at = $3
         from (
             select distinct on (p.lane) p.id from webhook_deliveries p
             where p.endpoint_id = $1 and p.state = 'pending' and not p.manual
               and ($2::uuid is null or p.lane = (select l.lane from webhook_deliveries l where l.id = $2))
             order by p.lane, p.position
         ) head
         where d.id = head.id and not d.in_flight
           and exists (select from webhook_endpoints w where w.id = $1 and w.disabled_at is null)",
        endpoint_id.as_uuid(),
        lane_of.map(Uuid::from),
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes every pending delivery of an endpoint out of the clock's reach. The caller holds the endpoint's lock.
pub async fn suspend(conn: &mut PgConnection, endpoint_id: WebhookEndpointId) -> sqlx::Result<()> {
    sqlx::query!(
        "update webhook_deliveries set next_try_at = null where endpoint_id = $1 and state = 'pending' and not in_flight",
        endpoint_id.as_uuid()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a request to deliver again meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redelivery {
    /// It is due now.
    Due,
    /// It waits for those before it, or is being made at this moment.
    Waiting,
    /// There is no such delivery.
    Unknown,
}

/// Makes a delivery due now: one that is finished once more, one that is between two attempts at once. The caller holds the endpoint's lock.
pub async fn redeliver(
    conn: &mut PgConnection,
    endpoint_id: WebhookEndpointId,
    id: WebhookDeliveryId,
    at: DateTime<Utc>,
) -> sqlx::Result<Redelivery> {
    let done = sqlx::query_scalar!(
        r#"with known as (
               select id, state, next_try_at, in_flight from webhook_deliveries where id = $2 and endpoint_id = $1
           ), due as (
               update webhook_deliveries d
               set state = 'pending', manual = d.manual or known.state <> 'pending', next_try_at = $3, finished_at = null
               from known
               where d.id = known.id and not d.in_flight and (known.state <> 'pending' or known.next_try_at is not null)
               returning d.id
           )
           select exists (select from due) as "due!" from known"#,
        endpoint_id.as_uuid(),
        id.as_uuid(),
        at
    )
    .fetch_optional(conn)
    .await?;
    Ok(match done {
        None => Redelivery::Unknown,
        Some(true) => Redelivery::Due,
        Some(false) => Redelivery::Waiting,
    })
}

/// A delivery as its endpoint's owner sees it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its id.
    pub id: WebhookDeliveryId,
    /// What is delivered.
    pub event_id: EventId,
    /// What that tells of.
    pub kind: EventType,
    /// Where it stands in the order of events.
    pub position: i64,
    /// `pending`, `delivered` or `failed`.
    pub state: String,
    /// Attempts begun.
    pub attempts: i32,
    /// When it is tried next; absent while it waits for those before it.
    pub next_try_at: Option<DateTime<Utc>>,
    /// When it was noted.
    pub created_at: DateTime<Utc>,
    /// When it was taken or given up.
    pub finished_at: Option<DateTime<Utc>>,
    /// The newest attempt that ended.
    pub newest: Option<Attempt>,
}

/// An endpoint's deliveries before a position, newest first.
pub async fn list(
    conn: &mut PgConnection,
    endpoint_id: WebhookEndpointId,
    before: i64,
    limit: i64,
) -> sqlx::Result<Vec<Delivery>> {
    let rows = sqlx::query!(
        r#"select d.id, d.event_id, e.type as kind, d.position, d.state, d.attempts, case when not d.in_flight then d.next_try_at end as next_try_at,
                  d.created_at, d.finished_at, a.status as "status?", a.error as "error?", a.duration_ms as "duration_ms?", a.at as "at?"
           from webhook_deliveries d
           join events e on e.id = d.event_id
           left join lateral (
               select status, error, duration_ms, at from webhook_attempts where delivery_id = d.id order by number desc limit 1) a on true
           where d.endpoint_id = $1 and d.position < $2
           order by d.position desc limit $3"#,
        endpoint_id.as_uuid(),
        before,
        limit
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let newest = row.at.map(|at| Attempt {
                status: row.status.and_then(|status| u16::try_from(status).ok()),
                error: row.error,
                duration_ms: row.duration_ms.unwrap_or_default(),
                at,
            });
            Ok(Delivery {
                id: row.id.into(),
                event_id: row.event_id.into(),
                kind: parse(&row.kind)?,
                position: row.position,
                state: row.state,
                attempts: row.attempts,
                next_try_at: row.next_try_at,
                created_at: row.created_at,
                finished_at: row.finished_at,
                newest,
            })
        })
        .collect()
}

/// The attempts of a delivery of this endpoint, oldest first.
pub async fn attempts(
    conn: &mut PgConnection,
    endpoint_id: WebhookEndpointId,
    id: WebhookDeliveryId,
) -> sqlx::Result<Vec<Attempt>> {
    let rows = sqlx::query!(
        "select a.status, a.error, a.duration_ms, a.at
         from webhook_attempts a join webhook_deliveries d on d.id = a.delivery_id
         where d.id = $2 and d.endpoint_id = $1 order by a.number",
        endpoint_id.as_uuid(),
        id.as_uuid()
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Attempt {
            status: row.status.and_then(|status| u16::try_from(status).ok()),
            error: row.error,
            duration_ms: row.duration_ms,
            at: row.at,
        })
        .collect())
}

/// Whether this endpoint has this delivery.
pub async fn exists(
    conn: &mut PgConnection,
    endpoint_id: WebhookEndpointId,
    id: WebhookDeliveryId,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from webhook_deliveries where id = $2 and endpoint_id = $1) as "exists!""#,
        endpoint_id.as_uuid(),
        id.as_uuid()
    )
    .fetch_one(conn)
    .await
}
