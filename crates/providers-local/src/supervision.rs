//! Keeps wanted processes running: each awake project is watched by pidfd, whoever started it, and restarted with growing delay when it falls.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use ids::ProjectId;
use providers::Result;
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    failure::{chain, detached},
    node::Node,
    process::Noted,
    record::Record,
    runs,
};

/// How soon a project that another process woke is watched here too.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_mins(1);
const MANY: usize = 5;
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(30);
const GROW_EVERY: u32 = 30;

/// Watches until told to stop.
pub(crate) async fn supervise(node: Arc<Node>, shutdown: CancellationToken) {
    let mut watchers: HashMap<ProjectId, JoinHandle<()>> = HashMap::new();
    let mut rounds = 0_u32;
    while !shutdown.is_cancelled() {
        watchers.retain(|_, watcher| !watcher.is_finished());
        match node.wanted_ids() {
            Ok(ids) => {
                for id in ids {
                    watchers.entry(id).or_insert_with(|| tokio::spawn(watch(node.clone(), id)));
                }
            }
            Err(cause) => tracing::warn!(error = %cause, "could not list awake projects"),
        }
        if rounds.is_multiple_of(GROW_EVERY) {
            grow(node.clone()).await;
        }
        rounds = rounds.wrapping_add(1);
        // Cancelled or timed out: either way the loop's condition decides.
        drop(tokio::time::timeout(LOOK_AGAIN, shutdown.cancelled()).await);
    }
    for watcher in watchers.into_values() {
        watcher.abort();
    }
}

async fn grow(node: Arc<Node>) {
    let grown = crate::failure::blocking(move || node.pool.grow_when_needed()).await;
    if let Err(error) = grown {
        tracing::warn!(error = chain(&error), "could not grow the pool");
    }
}

/// Restarts one project whenever it falls; ends when it is not wanted any more.
async fn watch(node: Arc<Node>, id: ProjectId) {
    let mut falls = Falls::default();
    loop {
        match wait_fallen(&node, id).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::warn!(project.id = %id, error = chain(&error), "could not look after a project"),
        }
        tokio::time::sleep(falls.delay(Instant::now())).await;
        let restarting = {
            let node = node.clone();
            detached(async move { node.restart_fallen(id).await })
        };
        match restarting.await {
            Ok(false) => continue,
            Ok(true) => tracing::warn!(project.id = %id, "a project's process had ended by itself and was restarted"),
            Err(error) => {
                tracing::warn!(project.id = %id, error = chain(&error), "a project's process could not be restarted")
            }
        }
        if falls.record(Instant::now()) {
            tracing::error!(project.id = %id, times = MANY, "a project's process keeps ending by itself; see its logs folder");
        }
    }
}

/// Waits until something that is wanted of a project does not run: true. False when nothing is wanted any more.
async fn wait_fallen(node: &Node, id: ProjectId) -> Result<bool> {
    loop {
        let folder = node.layout.project(id);
        let Some(record) = Record::load(&folder)?.filter(|record| record.startable() && node.wanted(id)) else {
            return Ok(false);
        };
        let handle = |note: &std::path::Path| {
            let identity = Noted::serving(note)?;
            Some((identity.watch().ok().flatten()?, identity))
        };
        let Some((postgres, _)) = handle(&folder.postgres_process()) else { return Ok(true) };
        let plane = handle(&folder.data_plane_process());
        if plane.is_none() && record.data_plane.is_some_and(|plane| !plane.stopped) {
            return Ok(true);
        }
        let plane_ended = async {
            match &plane {
                Some((process, identity)) => runs::watch_end(&folder, identity, process).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = postgres.ended() => {}
            () = plane_ended => {}
            () = tokio::time::sleep(LOOK_AGAIN), if plane.is_none() => {}
        }
    }
}

/// When a project fell lately.
#[derive(Debug, Default)]
struct Falls {
    times: VecDeque<Instant>,
    reported_at: Option<Instant>,
}

impl Falls {
    /// How long to wait before the next start: nothing after the first fall of a minute, then doubling.
    fn delay(&mut self, now: Instant) -> Duration {
        self.forget_old(now);
        match self.times.len() {
            0 => Duration::ZERO,
            count => {
                (FIRST_DELAY * 2_u32.saturating_pow(u32::try_from(count - 1).unwrap_or(u32::MAX))).min(LONGEST_DELAY)
            }
        }
    }

    /// Counts a fall; true when there are so many that a person must look, once a minute at most.
    fn record(&mut self, now: Instant) -> bool {
        self.times.push_back(now);
        self.forget_old(now);
        let due = self.times.len() >= MANY && self.reported_at.is_none_or(|at| now - at >= WINDOW);
        if due {
            self.reported_at = Some(now);
        }
        due
    }

    fn forget_old(&mut self, now: Instant) {
        while self.times.front().is_some_and(|time| now - *time > WINDOW) {
            self.times.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_and_many_falls_are_reported_once() {
        let mut falls = Falls::default();
        let start = Instant::now();
        assert_eq!(falls.delay(start), Duration::ZERO);
        let reports: Vec<bool> = (0..6).map(|second| falls.record(start + Duration::from_secs(second))).collect();
        assert_eq!(reports, [false, false, false, false, true, false]);
        assert_eq!(falls.delay(start + Duration::from_secs(6)), FIRST_DELAY * 32);
        assert_eq!(falls.delay(start + Duration::from_secs(90)), Duration::ZERO);
    }
}
