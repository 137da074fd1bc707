//! Clones and snapshots.

use ids::ProjectId;

use super::{Subject, clone_of, create, done, remove};
use crate::Error;

/// A clone of a running and of a stopped project starts with the same data; afterwards neither sees the other's writes, and either may go first.
pub async fn clones_are_independent(subject: &dyn Subject) {
    let parent = create(subject).await;
    subject.put_mark(parent, "shared").await;
    let live = ProjectId::generate();
    done("ensure_database", subject.database().ensure_database(&clone_of(parent, live))).await;
    done("stop_database", subject.database().stop_database(parent)).await;
    let cold = ProjectId::generate();
    done("ensure_database", subject.database().ensure_database(&clone_of(parent, cold))).await;
    done("ensure_database", subject.database().ensure_database(&super::new_database(parent))).await;

    subject.put_mark(parent, "parent's").await;
    subject.put_mark(live, "live clone's").await;
    subject.put_mark(cold, "cold clone's").await;
    done("ensure_database", subject.database().ensure_database(&clone_of(parent, live))).await;
    assert_eq!(subject.marks(live).await, ["shared", "live clone's"]);
    remove(subject, parent).await;
    assert_eq!(subject.marks(cold).await, ["shared", "cold clone's"]);
    remove(subject, live).await;
    remove(subject, cold).await;
}

/// A clone of nothing is missing its parent and leaves nothing that cannot be dropped.
pub async fn cloning_nothing_is_missing(subject: &dyn Subject) {
    let id = ProjectId::generate();
    let outcome = subject.database().ensure_database(&clone_of(ProjectId::generate(), id)).await;
    assert!(matches!(outcome, Err(Error::Missing(_))), "{outcome:?}");
    remove(subject, id).await;
}

/// Keeping a name twice keeps the first state, and names are listed.
pub async fn snapshots_keep_the_first(subject: &dyn Subject) {
    let id = create(subject).await;
    subject.put_mark(id, "before").await;
    done("ensure_snapshot", subject.database().ensure_snapshot(id, "t0")).await;
    subject.put_mark(id, "after").await;
    done("ensure_snapshot", subject.database().ensure_snapshot(id, "t0")).await;
    assert_eq!(subject.marks(id).await, ["before", "after"]);
    let described = done("describe_database", subject.database().describe_database(id)).await.expect("it exists");
    assert_eq!(described.snapshots, ["t0"]);

    done("prepare_reset", subject.database().prepare_reset(id, "t0")).await;
    done("swap_reset", subject.database().swap_reset(id)).await;
    done("finish_reset", subject.database().finish_reset(id)).await;
    done("ensure_database", subject.database().ensure_database(&super::new_database(id))).await;
    assert_eq!(subject.marks(id).await, ["before"]);
    remove(subject, id).await;
}
