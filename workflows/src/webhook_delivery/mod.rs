//! Publishes events and delivers them to the receivers that want them: at least once, with one id, and for each project in order.
//!
//! Only a delivery that nothing stands before has a time at which it is due. Taking one counts its attempt and sets when it is given up for
//! lost, so that a worker that dies leaves it to others; recording what came of it needs the same count, so that a worker that was given up
//! changes nothing. Any number of workers may run.

mod message;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use model::{events::next_try, limits};
use store::webhook_deliveries::{self, Attempt, Due, Next};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    World,
    activities::{Outcome, store_failed},
    reconciler::Reconciler,
};

/// Pace of deliveries.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often it is looked for what is new and due.
    pub every: Duration,
    /// How long a receiver may take to answer.
    pub answer_within: Duration,
    /// After how long a delivery that nobody finished is made again; longer than a receiver may take.
    pub lost_after: Duration,
    /// Deliveries under way at once.
    pub concurrency: usize,
    /// At shutdown, how long those under way may take to end.
    pub grace: Duration,
    /// How often events that are too old are forgotten.
    pub prune_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            every: Duration::from_millis(500),
            answer_within: Duration::from_secs(limits::WEBHOOK_TIMEOUT_SECONDS),
            lost_after: Duration::from_secs(60),
            concurrency: 64,
            grace: Duration::from_secs(3),
            prune_every: Duration::from_secs(60),
        }
    }
}

/// Delivers until told to stop.
#[must_use]
pub fn start(world: Arc<World>, settings: Settings) -> Reconciler {
    Reconciler::start("webhook_delivery", move |stop| deliver_all(world, settings, stop))
}

async fn deliver_all(world: Arc<World>, settings: Settings, stop: CancellationToken) {
    let mut under_way = JoinSet::new();
    let mut pruned = Instant::now();
    while !stop.is_cancelled() {
        if let Err(error) = round(&world, &settings, &mut under_way).await {
            tracing::warn!(error = telemetry::chain(&error), "events could not be read; the next round goes on");
        }
        if pruned.elapsed() >= settings.prune_every {
            pruned = Instant::now();
            if let Err(error) = prune(&world).await {
                tracing::warn!(error = telemetry::chain(&error), "old events could not be forgotten");
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            Some(_) = under_way.join_next(), if !under_way.is_empty() => {}
            () = sleep(settings.every) => {}
        }
    }
    // What is dropped then is made again by whoever looks next.
    let _dropped = timeout(settings.grace, async { while under_way.join_next().await.is_some() {} }).await;
}

/// Publishes what is new and begins what is due.
async fn round(world: &Arc<World>, settings: &Settings, under_way: &mut JoinSet<()>) -> Outcome {
    publish(world).await?;
    let room = settings.concurrency.saturating_sub(under_way.len());
    if room == 0 {
        return Ok(());
    }
    let now = world.clock.now();
    let lost_at = now + TimeDelta::from_std(settings.lost_after).unwrap_or(TimeDelta::MAX);
    let mut conn = world.pool.acquire().await.map_err(store_failed)?;
    let limit = i64::try_from(room).unwrap_or(i64::MAX);
    let due = webhook_deliveries::claim(&mut conn, now, lost_at, limit, limits::WEBHOOK_IN_FLIGHT);
    for one in due.await.map_err(store_failed)? {
        under_way.spawn(deliver(Arc::clone(world), one, settings.answer_within));
    }
    Ok(())
}

/// Gives every committed event its place.
///
/// # Errors
/// The control database does not answer.
pub async fn publish(world: &World) -> Outcome {
    loop {
        let mut transaction = world.pool.begin().await.map_err(store_failed)?;
        let more = store::events::publish(&mut transaction, world.clock.now()).await.map_err(store_failed)?;
        transaction.commit().await.map_err(store_failed)?;
        if !more {
            return Ok(());
        }
    }
}

async fn prune(world: &World) -> Outcome {
    let before = world.clock.now() - TimeDelta::days(limits::EVENT_DAYS);
    let mut conn = world.pool.acquire().await.map_err(store_failed)?;
    while store::events::prune(&mut conn, before).await.map_err(store_failed)? {}
    Ok(())
}

/// Makes one delivery and records what came of it.
async fn deliver(world: Arc<World>, due: Due, answer_within: Duration) {
    let began = Instant::now();
    let sent = message::send(&world, &due, answer_within).await;
    let now = world.clock.now();
    let (status, error) = match sent {
        Ok(status) => (Some(status), None),
        Err(message::Failed { status, reason }) => (status, Some(reason)),
    };
    let duration_ms = i32::try_from(began.elapsed().as_millis()).unwrap_or(i32::MAX);
    let next = if error.is_none() { Next::Delivered } else { after_failure(&due, now) };
    let attempt = Attempt { status, error, duration_ms, at: now };
    match record(&world, &due, &attempt, next).await {
        Ok(true) => tracing::debug!(event.id = %due.event.id, status, duration_ms, "event delivered or put off"),
        Ok(false) => {
            tracing::info!(event.id = %due.event.id, "a delivery took so long that another worker goes on with it")
        }
        Err(error) => tracing::warn!(
            event.id = %due.event.id,
            error = telemetry::chain(&error),
            "what came of a delivery could not be recorded; it will be made again"
        ),
    }
}

fn after_failure(due: &Due, now: DateTime<Utc>) -> Next {
    if due.manual {
        return Next::GiveUp;
    }
    next_try(due.attempt.unsigned_abs(), due.created_at, now).map_or(Next::GiveUp, Next::Again)
}

async fn record(world: &World, due: &Due, attempt: &Attempt, next: Next) -> sqlx::Result<bool> {
    let mut transaction = world.pool.begin().await?;
    let held = webhook_deliveries::finish(&mut transaction, due, attempt, next).await?;
    transaction.commit().await?;
    Ok(held)
}
