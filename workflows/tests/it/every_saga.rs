//! What must hold for every saga, whatever it does.

use std::{sync::Arc, time::Duration};

use model::projects::Observed;
use saga::OperationKind;
use store::operations::{Operation, OperationState};
use workflows::{engine::Direction, registry};

use crate::{
    cases::{Arranged, Case, cases, is_merge},
    cloud::{Cloud, settings},
    faults::{Fault, Faulty, What, When},
};

/// What a success of this saga leaves.
async fn reference(cloud: &mut Cloud, case: &Case) -> Vec<String> {
    cloud.reset().await;
    let arranged = (case.arrange)(cloud).await;
    let ended = cloud.carry_out(&arranged.operation).await;
    assert_eq!(ended.state, OperationState::Succeeded, "{} without faults: {ended:?}", case.kind);
    cloud.remains(&arranged.names).await
}

fn steps_of(kind: OperationKind) -> Vec<(usize, &'static str)> {
    let definition =
        registry().into_iter().find(|definition| definition.kind() == kind).expect("every kind has a saga");
    definition.steps().iter().map(|step| step.name).enumerate().collect()
}

fn point_of_no_return(kind: OperationKind) -> usize {
    let definition =
        registry().into_iter().find(|definition| definition.kind() == kind).expect("every kind has a saga");
    definition.steps().iter().position(|step| step.point_of_no_return).unwrap_or(usize::MAX)
}

async fn arrange(cloud: &mut Cloud, case: &Case) -> Arranged {
    cloud.reset().await;
    let arranged = (case.arrange)(cloud).await;
    cloud.insert_operation(&arranged.operation).await;
    arranged
}

async fn carry_out(cloud: &Cloud, arranged: &Arranged, faulty: Faulty) -> Operation {
    let faulty = Arc::new(faulty);
    let worker = cloud.worker(faulty.among_all());
    let ended = cloud.wait_end(arranged.operation.id).await;
    worker.shutdown().await;
    ended
}

/// The end is one of two: everything, or nothing; and nothing is reported ready that does not answer.
async fn check(cloud: &Cloud, arranged: &Arranged, ended: &Operation, complete: &[String], what: &str) {
    let remains = cloud.remains(&arranged.names).await;
    match ended.state {
        OperationState::Succeeded => assert_eq!(remains, complete, "{what}: a success that is not complete"),
        OperationState::Failed => assert_eq!(remains, arranged.before, "{what}: a failure that left something"),
        other => panic!("{what}: ended as {other:?}"),
    }
    let routes = cloud.outside.routes.lock().expect("test lock").clone();
    for (id, name) in &arranged.names {
        let mut conn = cloud.pool().acquire().await.expect("a connection");
        let row = store::projects::find_for_operation(&mut conn, *id).await.expect("read");
        if row.is_some_and(|row| row.observed == Observed::Serving) {
            assert!(routes.contains_key(id), "{what}: {name} is said to serve and has no route");
        }
    }
}

#[test]
fn the_list_is_complete() {
    let covered: Vec<OperationKind> = cases().iter().map(|case| case.kind).collect();
    let registered: Vec<OperationKind> = registry().iter().map(|definition| definition.kind()).collect();
    for kind in OperationKind::ALL {
        assert!(covered.contains(kind), "{kind} has no case");
        assert!(registered.contains(kind), "{kind} has no saga");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_at_any_step_leaves_a_clean_slate() {
    let mut cloud = Cloud::start().await;
    for case in cases() {
        let complete = reference(&mut cloud, &case).await;
        for (position, name) in steps_of(case.kind) {
            for when in [When::Before, When::After] {
                let arranged = arrange(&mut cloud, &case).await;
                let fault = Fault { direction: Direction::Run, position, when, what: What::Permanent };
                let ended = carry_out(&cloud, &arranged, Faulty::new(case.kind, vec![fault])).await;
                let what = format!("{} failing {when:?} {name}", case.kind);
                check(&cloud, &arranged, &ended, &complete, &what).await;
                if !is_merge(case.kind) {
                    let forward = position >= point_of_no_return(case.kind);
                    assert_eq!(ended.state == OperationState::Succeeded, forward, "{what}: {ended:?}");
                }
                let failed = ended.state == OperationState::Failed;
                assert_eq!(ended.error_code.as_deref(), failed.then_some("test.planned"), "{what}");
                let project = cloud.project(arranged.operation.project_id.expect("all cases have one")).await;
                assert_eq!(project.last_operation_error.as_deref(), failed.then_some("planned"), "{what}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_fails_once_is_tried_again() {
    let mut cloud = Cloud::start().await;
    for case in cases() {
        let complete = reference(&mut cloud, &case).await;
        for (position, name) in steps_of(case.kind) {
            for when in [When::Before, When::After] {
                let arranged = arrange(&mut cloud, &case).await;
                let fault = Fault { direction: Direction::Run, position, when, what: What::Transient };
                let ended = carry_out(&cloud, &arranged, Faulty::new(case.kind, vec![fault])).await;
                let what = format!("{} failing once {when:?} {name}", case.kind);
                assert_eq!(ended.state, OperationState::Succeeded, "{what}: {ended:?}");
                check(&cloud, &arranged, &ended, &complete, &what).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_out_that_in_truth_succeeded_does_no_harm() {
    let mut cloud = Cloud::start().await;
    for case in cases() {
        let complete = reference(&mut cloud, &case).await;
        for (position, name) in steps_of(case.kind) {
            let arranged = arrange(&mut cloud, &case).await;
            let fault = Fault { direction: Direction::Run, position, when: When::After, what: What::Hang };
            let faulty = Faulty::new(case.kind, vec![fault]).timeout(position, Duration::from_millis(150));
            let ended = carry_out(&cloud, &arranged, faulty).await;
            let what = format!("{} timing out after {name}", case.kind);
            assert_eq!(ended.state, OperationState::Succeeded, "{what}: {ended:?}");
            check(&cloud, &arranged, &ended, &complete, &what).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_may_run_twice() {
    let mut cloud = Cloud::start().await;
    for case in cases() {
        let complete = reference(&mut cloud, &case).await;
        let arranged = arrange(&mut cloud, &case).await;
        let ended = carry_out(&cloud, &arranged, Faulty::new(case.kind, Vec::new()).twice(Direction::Run)).await;
        let what = format!("{} with every step twice", case.kind);
        assert_eq!(ended.state, OperationState::Succeeded, "{what}: {ended:?}");
        check(&cloud, &arranged, &ended, &complete, &what).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_undo_may_run_twice_and_may_fail_first() {
    let mut cloud = Cloud::start().await;
    for case in cases() {
        let complete = reference(&mut cloud, &case).await;
        for (position, name) in steps_of(case.kind) {
            let arranged = arrange(&mut cloud, &case).await;
            let mut faults =
                vec![Fault { direction: Direction::Run, position, when: When::After, what: What::Permanent }];
            faults.extend((0..=position).map(|position| {
                let when = if position % 2 == 0 { When::Before } else { When::After };
                Fault { direction: Direction::Undo, position, when, what: What::Transient }
            }));
            let ended = carry_out(&cloud, &arranged, Faulty::new(case.kind, faults).twice(Direction::Undo)).await;
            check(&cloud, &arranged, &ended, &complete, &format!("{} undone twice from {name}", case.kind)).await;
        }
    }
}

/// Carries an operation until the fault hangs, kills the worker there, and lets another one take over.
async fn killed_and_taken_over(cloud: &Cloud, arranged: &Arranged, faulty: Faulty, what: &str) -> Option<Operation> {
    let faulty = Arc::new(faulty);
    let worker = cloud.worker(faulty.among_all());
    let ended_first = tokio::select! {
        () = faulty.reached.notified() => false,
        _ = cloud.wait_end(arranged.operation.id) => true,
    };
    worker.kill().await;
    if ended_first {
        return None;
    }
    let left = cloud.find(arranged.operation.id).await;
    assert!(!left.state.finished(), "{what}: finished by a dead worker");
    cloud.expire_lease(arranged.operation.id).await;
    let worker = cloud.worker(registry());
    let ended = cloud.wait_end(arranged.operation.id).await;
    worker.shutdown().await;
    Some(ended)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_between_any_two_effects_is_replaced() {
    let mut cloud = Cloud::start().await;
    for case in cases() {
        let complete = reference(&mut cloud, &case).await;
        for (position, name) in steps_of(case.kind) {
            for when in [When::Before, When::After] {
                let arranged = arrange(&mut cloud, &case).await;
                let fault = Fault { direction: Direction::Run, position, when, what: What::Hang };
                let what = format!("{} killed {when:?} {name}", case.kind);
                let ended = killed_and_taken_over(&cloud, &arranged, Faulty::new(case.kind, vec![fault]), &what).await;
                let ended = ended.unwrap_or_else(|| panic!("{what}: the step was not reached"));
                assert_eq!(ended.state, OperationState::Succeeded, "{what}: {ended:?}");
                check(&cloud, &arranged, &ended, &complete, &what).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_while_unwinding_is_replaced() {
    let mut cloud = Cloud::start().await;
    for case in cases() {
        let complete = reference(&mut cloud, &case).await;
        let steps = steps_of(case.kind);
        // A merge turns back until its plan is rehearsed; the others until their point of no return.
        let last = if is_merge(case.kind) {
            steps.iter().position(|(_, name)| *name == "rehearse").expect("a merge rehearses")
        } else if let Some(last) = point_of_no_return(case.kind).checked_sub(1) {
            last
        } else {
            continue;
        };
        for &(position, name) in &steps[..=last] {
            for when in [When::Before, When::After] {
                let arranged = arrange(&mut cloud, &case).await;
                let failure =
                    Fault { direction: Direction::Run, position: last, when: When::After, what: What::Permanent };
                let hang = Fault { direction: Direction::Undo, position, when, what: What::Hang };
                let what = format!("{} killed {when:?} undoing {name}", case.kind);
                let ended =
                    killed_and_taken_over(&cloud, &arranged, Faulty::new(case.kind, vec![failure, hang]), &what).await;
                let ended = ended.unwrap_or_else(|| panic!("{what}: the undo was not reached"));
                assert_eq!(ended.state, OperationState::Failed, "{what}: {ended:?}");
                check(&cloud, &arranged, &ended, &complete, &what).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_on_one_lease_do_not_hurt() {
    let mut cloud = Cloud::start().await;
    for case in cases() {
        let complete = reference(&mut cloud, &case).await;
        for (position, name) in steps_of(case.kind) {
            let arranged = arrange(&mut cloud, &case).await;
            let id = arranged.operation.id;
            let fault = Fault { direction: Direction::Run, position, when: When::After, what: What::Hang };
            let faulty = Arc::new(Faulty::new(case.kind, vec![fault]));
            // So long a lease that the first worker's heartbeat does not notice in time.
            let unaware = workflows::Settings { lease: Duration::from_secs(3600), ..settings() };
            let first = cloud.worker_with(faulty.among_all(), unaware);
            faulty.reached.notified().await;
            cloud.expire_lease(id).await;
            let second = cloud.worker(registry());
            let ended = cloud.wait_end(id).await;
            second.shutdown().await;
            faulty.release.add_permits(1);
            first.shutdown().await;

            let what = format!("{} overtaken after {name}", case.kind);
            assert_eq!(ended.state, OperationState::Succeeded, "{what}: {ended:?}");
            check(&cloud, &arranged, &ended, &complete, &what).await;
            let after = cloud.find(id).await;
            assert_eq!(
                (after.fence, after.updated_at),
                (ended.fence, ended.updated_at),
                "{what}: the stale worker wrote"
            );
        }
    }
}

/// How many changes this saga asks of the provider when nothing fails.
async fn provider_changes(cloud: &mut Cloud, case: &Case) -> usize {
    let arranged = arrange(cloud, case).await;
    let before = cloud.fake.changes().len();
    let ended = carry_out(cloud, &arranged, Faulty::new(case.kind, Vec::new())).await;
    assert_eq!(ended.state, OperationState::Succeeded, "{ended:?}");
    cloud.fake.changes().len() - before
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_may_fail_at_any_call() {
    let mut cloud = Cloud::start().await;
    for case in cases() {
        let complete = reference(&mut cloud, &case).await;
        for nth in 1..=provider_changes(&mut cloud, &case).await {
            for fault in
                [providers::fake::Fault::Before, providers::fake::Fault::After, providers::fake::Fault::Refused]
            {
                let arranged = arrange(&mut cloud, &case).await;
                cloud.fake.fail_nth_change(nth, fault);
                let ended = carry_out(&cloud, &arranged, Faulty::new(case.kind, Vec::new())).await;
                let what = format!("{} with provider call {nth} failing {fault:?}", case.kind);
                assert_eq!(cloud.fake.pending_faults(), 0, "{what}: not reached");
                if fault != providers::fake::Fault::Refused {
                    assert_eq!(ended.state, OperationState::Succeeded, "{what}: {ended:?}");
                }
                check(&cloud, &arranged, &ended, &complete, &what).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_does_not_answer_is_never_called_ready() {
    let mut cloud = Cloud::start().await;
    for case in cases() {
        let complete = reference(&mut cloud, &case).await;
        let arranged = arrange(&mut cloud, &case).await;
        *cloud.outside.mute.lock().expect("test lock") = true;
        let ended = carry_out(&cloud, &arranged, Faulty::new(case.kind, Vec::new())).await;
        check(&cloud, &arranged, &ended, &complete, &format!("{} of a mute project", case.kind)).await;
        let proves = steps_of(case.kind).iter().any(|(_, name)| *name == "prove");
        assert!(!proves || ended.state == OperationState::Failed, "{}: {ended:?}", case.kind);
    }
}
