//! The loop that puts idle projects to sleep and closes idle connections.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, time::MissedTickBehavior};

use crate::edge::Edge;

const TICK: Duration = Duration::from_millis(250);
/// Projects that are stopped at the same time.
const MAX_STOPPING: usize = 4;

/// Runs until the gateway drains.
pub(crate) async fn run(edge: Arc<Edge>) {
    let stopping = Arc::new(Semaphore::new(MAX_STOPPING));
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = edge.draining.cancelled() => return,
        }
        for project in edge.routes.projects() {
            project.current_upstream().prune();
            project.close_what_stays_open();
            let Ok(permit) = Arc::clone(&stopping).try_acquire_owned() else { continue };
            if let Some(idle_for) = project.begin_sleep() {
                let waker = Arc::clone(&edge.waker);
                edge.tasks.spawn(async move {
                    project.fall_asleep(waker, idle_for).await;
                    drop(permit);
                });
            }
        }
    }
}
