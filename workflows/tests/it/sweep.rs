//! The orphan sweep converges on what the rows say.

use std::{sync::Arc, time::Duration};

use data_plane_contract::routes::RouteState;
use ids::ProjectId;
use model::projects::Intent;
use providers::{Database as _, DatabaseSource, DatabaseSpec};
use saga::{OperationKind, operations::ProjectInput};
use workflows::orphan_sweep::{Sweep, Swept};

use crate::{
    cases::{family, merge_of},
    cloud::Cloud,
};

async fn sweep(cloud: &Cloud, sweep: &mut Sweep) -> Swept {
    sweep.once(&cloud.world).await.expect("nothing fails")
}

async fn resurrect(cloud: &Cloud, project_id: ProjectId) {
    let size = model::instances::InstanceType::Nano.size();
    let spec = DatabaseSpec { project_id, source: DatabaseSource::Template, size, throw_away: false };
    cloud.fake.ensure_database(&spec).await.expect("made");
}

#[tokio::test(flavor = "multi_thread")]
async fn remains_of_what_is_gone_are_removed_after_the_grace_and_strangers_are_reported_once() {
    let cloud = Cloud::start().await;
    let project_id = cloud.serving_project().await;
    let delete = cloud.operation(OperationKind::ProjectDelete, project_id, &ProjectInput { project_id });
    cloud.carry_out(&delete).await;
    let stranger = ProjectId::generate();
    resurrect(&cloud, project_id).await;
    resurrect(&cloud, stranger).await;

    let mut patient = Sweep::new(Duration::from_secs(3600));
    assert_eq!(sweep(&cloud, &mut patient).await, Swept::default());
    let mut eager = Sweep::new(Duration::ZERO);
    let swept = sweep(&cloud, &mut eager).await;
    assert_eq!((swept.removed, swept.reported), (vec![project_id], vec![stranger]));
    assert_eq!(sweep(&cloud, &mut eager).await, Swept::default());
    assert_eq!(cloud.fake.remains(), [format!("database {stranger} running")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_rehearsal_is_removed_once_its_merge_has_ended() {
    let cloud = Cloud::start().await;
    let names = family(&cloud).await;
    let arranged = merge_of(&cloud, names, true).await;
    let rehearsal_id = arranged.names[2].0;
    cloud.insert_operation(&arranged.operation).await;
    resurrect(&cloud, rehearsal_id).await;
    let mut eager = Sweep::new(Duration::ZERO);
    assert_eq!(sweep(&cloud, &mut eager).await.removed, []);
    let worker = cloud.worker(workflows::registry());
    cloud.wait_end(arranged.operation.id).await;
    worker.shutdown().await;
    resurrect(&cloud, rehearsal_id).await;
    assert_eq!(sweep(&cloud, &mut eager).await.removed, [rehearsal_id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_that_begin_during_a_sweep_alarm_nobody() {
    let cloud = Arc::new(Cloud::start().await);
    let beginning = tokio::spawn({
        let cloud = cloud.clone();
        async move {
            for _ in 0..200 {
                let mut both = cloud.pool().begin().await.expect("a transaction");
                let project_id = cloud.insert_project_in(&mut both, None).await;
                let create = cloud.operation(OperationKind::ProjectCreate, project_id, &ProjectInput { project_id });
                store::operations::insert(&mut both, &create).await.expect("inserted");
                both.commit().await.expect("committed");
            }
        }
    });
    let mut eager = Sweep::new(Duration::ZERO);
    while !beginning.is_finished() {
        assert_eq!(sweep(&cloud, &mut eager).await, Swept::default());
    }
    beginning.await.expect("every project began");
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_follow_the_rows() {
    let cloud = Cloud::start().await;
    let project_id = cloud.serving_project().await;
    let mut eager = Sweep::new(Duration::ZERO);
    assert_eq!(sweep(&cloud, &mut eager).await, Swept::default());

    let route = cloud.outside.routes.lock().expect("test lock").remove(&project_id).expect("published");
    assert_eq!(sweep(&cloud, &mut eager).await.published, [project_id]);
    let stale = data_plane_contract::routes::Route { state: RouteState::Held, ..route.clone() };
    cloud.outside.routes.lock().expect("test lock").insert(project_id, stale);
    assert_eq!(sweep(&cloud, &mut eager).await.published, [project_id]);
    assert_eq!(cloud.outside.routes.lock().expect("test lock").get(&project_id), Some(&route));

    let stranger = ProjectId::generate();
    let foreign = data_plane_contract::routes::Route { project_id: stranger, hosts: vec!["x".to_owned()], ..route };
    cloud.outside.routes.lock().expect("test lock").insert(stranger, foreign);
    assert_eq!(sweep(&cloud, &mut eager).await.withdrawn, [stranger]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_no_operation_serves_is_reported_once() {
    let cloud = Cloud::start().await;
    let project_id = cloud.insert_project(None).await;
    let mut eager = Sweep::new(Duration::ZERO);
    assert_eq!(sweep(&cloud, &mut eager).await.reported, [project_id]);
    assert_eq!(sweep(&cloud, &mut eager).await.reported, []);
    let mut conn = cloud.pool().acquire().await.expect("a connection");
    store::projects::set_intent(&mut conn, project_id, Intent::Deleted).await.expect("updated");
    assert_eq!(sweep(&cloud, &mut eager).await.reported, []);
}
