//! Creating, stopping and removing.

use ids::ProjectId;
use tokio::task::JoinSet;

use super::{Subject, create, data_plane, done, new_database, remove};
use crate::Error;

/// Dropping, stopping, cancelling and describing what does not exist succeeds; a data plane without a database is refused as missing.
pub async fn absent_projects_are_no_error(subject: &dyn Subject) {
    let id = ProjectId::generate();
    let (database, compute) = (subject.database(), subject.compute());
    done("stop_database", database.stop_database(id)).await;
    done("cancel_reset", database.cancel_reset(id)).await;
    done("finish_reset", database.finish_reset(id)).await;
    done("stop_data_plane", compute.stop_data_plane(id)).await;
    remove(subject, id).await;
    let without_database = compute.ensure_data_plane(&data_plane(id, "a")).await;
    assert!(matches!(without_database, Err(Error::Missing(_))), "{without_database:?}");
    let snapshot = database.ensure_snapshot(id, "t0").await;
    assert!(matches!(snapshot, Err(Error::Missing(_))), "{snapshot:?}");
    remove(subject, id).await;
}

/// Ensuring twice changes nothing, dropping twice neither.
pub async fn creating_twice_is_creating_once(subject: &dyn Subject) {
    let id = create(subject).await;
    subject.put_mark(id, "kept").await;
    let first = done("ensure_data_plane", subject.compute().ensure_data_plane(&data_plane(id, "a"))).await;
    done("ensure_database", subject.database().ensure_database(&new_database(id))).await;
    let second = done("ensure_data_plane", subject.compute().ensure_data_plane(&data_plane(id, "a"))).await;
    assert_eq!(first.address, second.address);
    assert!(second.running);
    assert_eq!(subject.marks(id).await, ["kept"]);
    let described = done("describe_database", subject.database().describe_database(id)).await.expect("it was ensured");
    assert!(described.running && described.project_id == id && !described.distribution.is_empty());
    assert!(done("list_databases", subject.database().list_databases()).await.contains(&id));
    assert!(done("list_data_planes", subject.compute().list_data_planes()).await.contains(&id));
    remove(subject, id).await;
    remove(subject, id).await;
}

/// A stopped project keeps its data and, when ensured again, its address.
pub async fn stopping_keeps_data_and_address(subject: &dyn Subject) {
    let id = create(subject).await;
    let before = done("ensure_data_plane", subject.compute().ensure_data_plane(&data_plane(id, "a"))).await;
    subject.put_mark(id, "kept").await;
    for _ in 0..2 {
        done("stop_data_plane", subject.compute().stop_data_plane(id)).await;
        done("stop_database", subject.database().stop_database(id)).await;
    }
    let plane = done("describe_data_plane", subject.compute().describe_data_plane(id)).await.expect("it is defined");
    assert!(!plane.running && plane.address == before.address);
    assert!(!done("describe_database", subject.database().describe_database(id)).await.expect("it exists").running);
    done("ensure_database", subject.database().ensure_database(&new_database(id))).await;
    let after = done("ensure_data_plane", subject.compute().ensure_data_plane(&data_plane(id, "a"))).await;
    assert_eq!(before.address, after.address);
    assert_eq!(subject.marks(id).await, ["kept"]);
    remove(subject, id).await;
}

/// Another environment leads to a running process at the same address.
pub async fn changed_specification_restarts(subject: &dyn Subject) {
    let id = create(subject).await;
    let before = done("ensure_data_plane", subject.compute().ensure_data_plane(&data_plane(id, "a"))).await;
    let after = done("ensure_data_plane", subject.compute().ensure_data_plane(&data_plane(id, "b"))).await;
    assert!(after.running && before.address == after.address);
    remove(subject, id).await;
}

/// `count` projects are made and removed at once and do not disturb each other.
pub async fn many_at_once(subject: &dyn Subject, count: usize) {
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let (database, compute) = (subject.database(), subject.compute());
        tasks.spawn(async move {
            let id = ProjectId::generate();
            done("ensure_database", database.ensure_database(&new_database(id))).await;
            let plane = done("ensure_data_plane", compute.ensure_data_plane(&data_plane(id, "a"))).await;
            (id, plane.address)
        });
    }
    let made = tasks.join_all().await;
    let mut addresses: Vec<_> = made.iter().map(|(_, address)| *address).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), count, "two projects share an address");
    for (id, _) in &made {
        subject.put_mark(*id, &id.to_string()).await;
    }
    for (id, _) in &made {
        assert_eq!(subject.marks(*id).await, [id.to_string()]);
        remove(subject, *id).await;
    }
}
