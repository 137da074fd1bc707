//! Creating and waking projects.

use std::time::{Duration, Instant};

use tests::{Cloud, DataPlane, Options, wait};

use crate::{Settings, report::Report, tools::until_served};

/// From the request to the first 200 through the gateway, on each kind of file system.
pub(crate) async fn create(settings: &Settings, report: &mut Report) {
    for pool in [true, false] {
        if pool && !nix::unistd::geteuid().is_root() {
            report.skip("project create, pool", "the pool needs root");
            continue;
        }
        let cloud = Cloud::start_with(Options { pool, ..Options::default() }).await;
        let api = cloud.api();
        let mut times = Vec::new();
        for number in 0..settings.runs {
            let begun = Instant::now();
            let project = api.create_project(cloud.organization(), &format!("Bench {number}")).await;
            let data_plane = DataPlane::through_gateway(&cloud, &project.appkey, &project.region);
            times.push(until_served(&data_plane, begun).await);
            api.wait_project(&project.id, "active").await;
            let _ = api.delete(&format!("/projects/v1/{}", project.id)).await.ok();
            api.wait_gone(&project.id).await;
        }
        let (what, p50, p99) =
            if pool { ("project create, pool", 400, Some(1000)) } else { ("project create, no pool", 1000, None) };
        report.add_times(what, &times, p50, p99);
        cloud.finish().await;
    }
}

/// From a request that needs the database of a sleeping project to its answer.
pub(crate) async fn wake(settings: &Settings, report: &mut Report) {
    let cloud = Cloud::start_with(Options { sleep_after_seconds: Some(1), ..Options::default() }).await;
    let project = cloud.api().new_project(cloud.organization(), "Sleeper").await;
    let data_plane = DataPlane::of(&cloud, &project.id).await;
    let mut times = Vec::new();
    for _ in 0..settings.runs {
        wait::until("the project sleeps", Duration::from_secs(60), || async {
            cloud.processes_of_project(&project.id).is_empty().then_some(())
        })
        .await;
        let begun = Instant::now();
        assert_eq!(data_plane.sql_count("select 1").await, 1);
        times.push(begun.elapsed());
    }
    report.add_times("wake a sleeping project", &times, 250, Some(800));
    cloud.finish().await;
}
