//! Branching and resetting databases of several sizes while they are written to.

use std::time::{Duration, Instant};

use tests::{Api, Cloud, DataPlane, Options, Project};

use crate::{
    Settings,
    report::{Report, percentile},
    tools::{Beside, pgbench, run, socket_folder, until_served},
};

/// Transactions per second of the writer beside.
const WRITER_RATE: &str = "150";
/// One unit of pgbench's scale is about 15 MB.
const SCALE_PER_GB: f64 = 68.0;

pub(crate) async fn measure(settings: &Settings, report: &mut Report) {
    for pool in [true, false] {
        if pool && !nix::unistd::geteuid().is_root() {
            report.skip("branch create, pool", "the pool needs root");
            continue;
        }
        let mut medians = Vec::new();
        for size in &settings.sizes {
            medians.push((*size, measure_size(settings, report, pool, *size).await));
        }
        if let (true, Some((small, first)), Some((large, last))) = (pool, medians.first(), medians.last())
            && large > small
        {
            #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
            let ratio = *last as f64 / (*first).max(1) as f64;
            report.add(
                format!("branch create, time {large} GB : {small} GB"),
                format!("{ratio:.2}"),
                "≤ 1.3",
                Some(ratio <= 1.3),
            );
        }
    }
}

/// Median of the branch times, in milliseconds.
async fn measure_size(settings: &Settings, report: &mut Report, pool: bool, size: f64) -> u128 {
    let cloud = Cloud::start_with(Options { pool, ..Options::default() }).await;
    let api = cloud.api();
    let project = api.new_project(cloud.organization(), "Big").await;
    let socket = socket_folder(&cloud, &project.id);
    let scale = format!("{:.0}", (size * SCALE_PER_GB).max(1.0));
    run(&mut pgbench(&socket, &["-i", "-q", "-s", &scale]));
    let _writer = Beside::start(pgbench(&socket, &["-n", "-R", WRITER_RATE, "-c", "2", "-T", "36000"]));

    let runs = settings.runs.min(5);
    let (mut branching, mut resetting) = (Vec::new(), Vec::new());
    for number in 0..runs {
        let (branched, reset) = branch_and_reset(&cloud, &api, &project, number).await;
        branching.push(branched);
        resetting.push(reset);
    }
    let kind = if pool { "pool" } else { "no pool" };
    let what = format!("branch create, {size} GB written to, {kind}");
    if pool {
        report.add_times(&what, &branching, 800, Some(2000));
    } else {
        report.add(what, format!("p50 {} ms, n={runs}", percentile(&branching, 50)), "plain copy: none", None);
    }
    let (branched, reset) = (percentile(&branching, 50), percentile(&resetting, 50));
    report.add(
        format!("branch reset, {size} GB, {kind}"),
        format!("p50 {reset} ms, n={runs}"),
        "≤ branch create",
        Some(reset <= branched),
    );
    drop(_writer);
    cloud.finish().await;
    branched
}

async fn branch_and_reset(cloud: &Cloud, api: &Api, project: &Project, number: usize) -> (Duration, Duration) {
    let begun = Instant::now();
    let branch = api.create_branch(&project.id, &format!("bench-{number}"), "full").await;
    let data_plane = DataPlane::through_gateway(cloud, &branch.appkey, &branch.region);
    let branched = until_served(&data_plane, begun).await;
    api.wait_branch(&branch.id, &["ready"]).await;

    let begun = Instant::now();
    let _ = api.post_empty(&format!("/projects/v1/branches/{}/reset", branch.id)).await.ok();
    api.wait_branch(&branch.id, &["ready"]).await;
    until_served(&data_plane, begun).await;
    let reset = begun.elapsed();

    let _ = api.delete(&format!("/projects/v1/branches/{}", branch.id)).await.ok();
    api.wait_branch_gone(&branch.id).await;
    (branched, reset)
}
