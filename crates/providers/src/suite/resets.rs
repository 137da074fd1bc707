//! Resetting to a snapshot: prepare, swap, then finish or cancel; each step twice.

use ids::ProjectId;

use super::{Subject, create, done, new_database, remove};
use crate::Error;

async fn with_snapshot(subject: &dyn Subject) -> ProjectId {
    let id = create(subject).await;
    subject.put_mark(id, "t0").await;
    done("ensure_snapshot", subject.database().ensure_snapshot(id, "t0")).await;
    subject.put_mark(id, "later").await;
    id
}

async fn start(subject: &dyn Subject, id: ProjectId) {
    done("ensure_database", subject.database().ensure_database(&new_database(id))).await;
}

async fn running(subject: &dyn Subject, id: ProjectId) -> bool {
    done("describe_database", subject.database().describe_database(id)).await.expect("it exists").running
}

/// Preparing does not touch the cluster, an unknown snapshot is missing, and so is a swap of nothing.
pub async fn prepare_leaves_the_cluster_alone(subject: &dyn Subject) {
    let id = with_snapshot(subject).await;
    let unknown = subject.database().prepare_reset(id, "none").await;
    assert!(matches!(unknown, Err(Error::Missing(_))), "{unknown:?}");
    let unprepared = subject.database().swap_reset(id).await;
    assert!(matches!(unprepared, Err(Error::Missing(_))), "{unprepared:?}");
    for _ in 0..2 {
        done("prepare_reset", subject.database().prepare_reset(id, "t0")).await;
        assert!(running(subject, id).await);
        assert_eq!(subject.marks(id).await, ["t0", "later"]);
    }
    for _ in 0..2 {
        done("cancel_reset", subject.database().cancel_reset(id)).await;
        assert!(running(subject, id).await, "cancelling a mere preparation leaves the cluster running");
    }
    assert_eq!(subject.marks(id).await, ["t0", "later"]);
    remove(subject, id).await;
}

/// After swap and finish the snapshot's state is in place, the snapshot remains and can be reset to again.
pub async fn swap_and_finish(subject: &dyn Subject) {
    let id = with_snapshot(subject).await;
    for round in ["first", "second"] {
        for _ in 0..2 {
            done("prepare_reset", subject.database().prepare_reset(id, "t0")).await;
        }
        for _ in 0..2 {
            done("swap_reset", subject.database().swap_reset(id)).await;
            assert!(!running(subject, id).await, "a swap leaves the cluster stopped");
        }
        start(subject, id).await;
        assert_eq!(subject.marks(id).await, ["t0"]);
        for _ in 0..2 {
            done("finish_reset", subject.database().finish_reset(id)).await;
        }
        done("cancel_reset", subject.database().cancel_reset(id)).await;
        assert_eq!(subject.marks(id).await, ["t0"], "nothing is left to cancel");
        subject.put_mark(id, round).await;
    }
    remove(subject, id).await;
}

/// Cancelling after the swap puts the old state back, even when the new one was started and written to.
pub async fn cancel_restores(subject: &dyn Subject) {
    let id = with_snapshot(subject).await;
    done("prepare_reset", subject.database().prepare_reset(id, "t0")).await;
    done("swap_reset", subject.database().swap_reset(id)).await;
    start(subject, id).await;
    subject.put_mark(id, "lost").await;
    for _ in 0..2 {
        done("cancel_reset", subject.database().cancel_reset(id)).await;
    }
    start(subject, id).await;
    assert_eq!(subject.marks(id).await, ["t0", "later"]);
    remove(subject, id).await;
}
