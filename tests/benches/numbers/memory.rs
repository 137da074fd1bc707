//! Memory of a project that is awake and idle.

use std::time::Duration;

use tests::{Cloud, DataPlane, leftovers};

use crate::report::Report;

/// Time after which start-up and the last request have left their traces behind.
const QUIET: Duration = Duration::from_secs(15);
const PROJECTS: usize = 5;
const MIB: f64 = 1024.0 * 1024.0;

pub(crate) async fn measure(report: &mut Report) {
    let cloud = Cloud::start().await;
    let api = cloud.api();
    let mut projects = Vec::new();
    for number in 0..PROJECTS {
        let project = api.new_project(cloud.organization(), &format!("Idle {number}")).await;
        assert_eq!(DataPlane::of(&cloud, &project.id).await.sql_count("select 1").await, 1);
        projects.push(project);
    }
    tokio::time::sleep(QUIET).await;
    #[expect(clippy::cast_precision_loss, reason = "megabytes")]
    let mut sizes: Vec<f64> = projects
        .iter()
        .map(|project| leftovers::proportional_set_bytes(&cloud.processes_of_project(&project.id)) as f64 / MIB)
        .collect();
    sizes.sort_by(f64::total_cmp);
    let median = sizes[PROJECTS / 2];
    report.add(
        "PSS of an idle awake project, all processes",
        format!("{median:.1} MB"),
        "≤ 20 MB",
        Some(median <= 20.0),
    );
    cloud.finish().await;
}
