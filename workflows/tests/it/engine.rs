//! The embedded engine itself: announcements, limits, shutdown, deadlines, stuck operations, events.

use std::{sync::Arc, time::Duration};

use saga::{Engine as _, OperationKind, StartOperation, operations::ProjectInput};
use store::operations::{OperationState, StepState};
use workflows::{EmbeddedEngine, Settings, engine::Direction, registry};

use crate::{
    cases::{Arranged, cases},
    cloud::{Cloud, settings},
    faults::{Fault, Faulty, What, When},
};

async fn create(cloud: &Cloud) -> Arranged {
    let case = cases().into_iter().find(|case| case.kind == OperationKind::ProjectCreate).expect("in the list");
    (case.arrange)(cloud).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announced_operation_starts_at_once_and_starting_twice_is_harmless() {
    let cloud = Cloud::start().await;
    // Without announcements nothing would happen for an hour.
    let worker = cloud.worker_with(registry(), Settings { poll: Duration::from_secs(3600), ..settings() });
    let arranged = create(&cloud).await;
    cloud.insert_operation(&arranged.operation).await;
    let engine = EmbeddedEngine::new(cloud.pool().clone());
    for _ in 0..2 {
        engine
            .start(StartOperation { id: arranged.operation.id, kind: arranged.operation.kind })
            .await
            .expect("started");
    }
    let ended = cloud.wait_end(arranged.operation.id).await;
    assert_eq!((ended.state, ended.fence), (OperationState::Succeeded, 1));
    worker.shutdown().await;

    let mut conn = cloud.pool().acquire().await.expect("a connection");
    let events = store::operations::events_after(&mut conn, ended.id, 0).await.expect("read");
    let states: Vec<&str> = events
        .iter()
        .filter(|event| event.kind == "operation")
        .filter_map(|event| event.body["state"].as_str())
        .collect();
    assert_eq!(states, ["queued", "succeeded"]);
    let steps = store::operations::steps(&mut conn, ended.id).await.expect("read");
    assert!(
        steps.iter().all(|step| step.state == StepState::Done && step.attempts == 1 && step.finished_at.is_some()),
        "{steps:?}"
    );
    let rest = store::operations::events_after(&mut conn, ended.id, events[2].id).await.expect("read");
    assert_eq!(rest.len(), events.len() - 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_the_step_end_and_hands_the_rest_over() {
    let cloud = Cloud::start().await;
    let arranged = create(&cloud).await;
    cloud.insert_operation(&arranged.operation).await;
    let hang = Fault { direction: Direction::Run, position: 1, when: When::After, what: What::Hang };
    let faulty = Arc::new(Faulty::new(OperationKind::ProjectCreate, vec![hang]));
    let worker = cloud.worker(faulty.among_all());
    faulty.reached.notified().await;
    // The first poll of the shutdown says "begin nothing new"; only then may the step end.
    futures::join!(worker.shutdown(), async { faulty.release.add_permits(1) });
    let left = cloud.find(arranged.operation.id).await;
    assert_eq!((left.state, left.lease_expires_at), (OperationState::Running, None));
    let mut conn = cloud.pool().acquire().await.expect("a connection");
    let steps = store::operations::steps(&mut conn, left.id).await.expect("read");
    assert_eq!((steps[1].state, steps[2].state), (StepState::Done, StepState::Pending));

    let worker = cloud.worker(registry());
    assert_eq!(cloud.wait_end(left.id).await.state, OperationState::Succeeded);
    worker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_outlasts_the_grace_is_dropped_and_handed_over() {
    let cloud = Cloud::start().await;
    let arranged = create(&cloud).await;
    cloud.insert_operation(&arranged.operation).await;
    let hang = Fault { direction: Direction::Run, position: 2, when: When::Before, what: What::Hang };
    let faulty = Arc::new(Faulty::new(OperationKind::ProjectCreate, vec![hang]));
    let worker = cloud.worker_with(faulty.among_all(), Settings { grace: Duration::from_millis(20), ..settings() });
    faulty.reached.notified().await;
    worker.shutdown().await;
    let left = cloud.find(arranged.operation.id).await;
    assert_eq!((left.state, left.lease_expires_at), (OperationState::Running, None));
    let worker = cloud.worker(registry());
    assert_eq!(cloud.wait_end(left.id).await.state, OperationState::Succeeded);
    worker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_that_fails_again_and_again_is_stuck_visibly_and_ends_when_it_can() {
    let cloud = Cloud::start().await;
    let arranged = create(&cloud).await;
    cloud.insert_operation(&arranged.operation).await;
    let mut faults = vec![Fault { direction: Direction::Run, position: 3, when: When::After, what: What::Permanent }];
    faults.extend(std::iter::repeat_n(
        Fault { direction: Direction::Undo, position: 1, when: When::Before, what: What::Permanent },
        7,
    ));
    let faulty = Arc::new(Faulty::new(OperationKind::ProjectCreate, faults));
    let worker = cloud.worker_with(
        faulty.among_all(),
        Settings { stuck_retry: Duration::from_secs(3600), stuck_retry_max: Duration::from_secs(3600), ..settings() },
    );
    let id = arranged.operation.id;
    let stuck = cloud
        .wait(id, "stuck", |operation| operation.state == OperationState::Stuck && operation.lease_expires_at.is_none())
        .await;
    assert_eq!(stuck.error_code.as_deref(), Some("test.planned"));
    assert!(stuck.next_try_at > chrono::Utc::now() + chrono::Duration::minutes(30));
    let mut conn = cloud.pool().acquire().await.expect("a connection");
    let step = store::operations::steps(&mut conn, id).await.expect("read").remove(1);
    assert_eq!((step.state, step.undo_attempts, step.last_error.as_deref()), (StepState::Undoing, 3, Some("planned")));

    // An operator does not want to wait.
    while !cloud.find(id).await.state.finished() {
        store::operations::retry(&mut conn, id).await.expect("asked");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(cloud.find(id).await.state, OperationState::Failed);
    assert_eq!(cloud.remains(&arranged.names).await, arranged.before);
    assert!(!store::operations::retry(&mut conn, id).await.expect("asked"), "nothing to retry");
    worker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missed_deadline_is_flagged_once() {
    let cloud = Cloud::start().await;
    let mut arranged = create(&cloud).await;
    arranged.operation.deadline_at = Some(chrono::Utc::now() - chrono::Duration::seconds(1));
    cloud.insert_operation(&arranged.operation).await;
    let mut conn = cloud.pool().acquire().await.expect("a connection");
    assert_eq!(store::operation_leases::flag_overdue(&mut conn).await.expect("read"), [arranged.operation.id]);
    assert_eq!(store::operation_leases::flag_overdue(&mut conn).await.expect("read"), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_creates_run_at_once_and_no_more() {
    let cloud = Cloud::start().await;
    let hang = Fault { direction: Direction::Run, position: 1, when: When::Before, what: What::Hang };
    let faulty = Arc::new(Faulty::new(OperationKind::ProjectCreate, vec![hang; 12]));
    let mut ids = Vec::new();
    for _ in 0..12 {
        let project_id = cloud.insert_project(None).await;
        let operation = cloud.operation(OperationKind::ProjectCreate, project_id, &ProjectInput { project_id });
        cloud.insert_operation(&operation).await;
        ids.push(operation.id);
    }
    let worker = cloud.worker(faulty.among_all());
    for _ in 0..8 {
        // One permit of the notification can stand for several arrivals, so count what is claimed instead.
        cloud.wait(ids[7], "the eighth claim", |operation| operation.state == OperationState::Running).await;
    }
    let mut running = 0;
    for id in &ids {
        running += usize::from(cloud.find(*id).await.state == OperationState::Running);
    }
    assert_eq!(running, 8);
    faulty.release.add_permits(12);
    for id in &ids {
        assert_eq!(cloud.wait_end(*id).await.state, OperationState::Succeeded);
    }
    worker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_project_has_one_unfinished_operation() {
    let cloud = Cloud::start().await;
    let arranged = create(&cloud).await;
    cloud.insert_operation(&arranged.operation).await;
    let project_id = arranged.names[0].0;
    let second = cloud.operation(OperationKind::ProjectPause, project_id, &ProjectInput { project_id });
    let mut conn = cloud.pool().acquire().await.expect("a connection");
    let error = store::operations::insert(&mut conn, &second).await.expect_err("refused");
    assert!(store::operations::violates_one_per_project(&error));
    assert_eq!(
        store::operations::running_for_project(&mut conn, project_id).await.expect("read").map(|it| it.id),
        Some(arranged.operation.id)
    );
}
