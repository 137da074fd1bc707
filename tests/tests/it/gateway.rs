//! The gateway stands alone: with control plane and control database gone, projects answer and sleeping ones wake.

use std::time::Duration;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tests::{Cloud, DataPlane, Options, leftovers::Process, wait};

#[tokio::test]
async fn running_projects_answer_and_sleeping_ones_wake_without_the_control_database() {
    let mut cloud = Cloud::start_with(Options { sleep_after_seconds: Some(4), ..Options::default() }).await;
    // Taking its database away is something a person must act on; the cloud may say so.
    cloud.tolerate_error("");
    let api = cloud.api();
    let sleeper = api.new_project(cloud.organization(), "Sleeper").await;
    let admin = DataPlane::of(&cloud, &sleeper.id).await;
    admin.sql("create table notes (text text)").await;
    let awake = api.new_project(cloud.organization(), "Awake").await;
    let busy = DataPlane::of(&cloud, &awake.id).await;
    wait::until("one project sleeps while the other is kept busy", Duration::from_secs(60), || async {
        assert!(busy.healthy().await);
        cloud.processes_of_project(&sleeper.id).is_empty().then_some(())
    })
    .await;

    let control = control_processes(&cloud);
    signal(&control, Signal::SIGSTOP);
    assert!(busy.healthy().await, "a running project answers");
    assert_eq!(busy.sql_count("select 1").await, 1);
    assert_eq!(admin.sql_count("select count(*) from notes").await, 0, "a sleeping project wakes");
    signal(&control, Signal::SIGCONT);
    cloud.finish().await;
}

/// The server of the control database: every process that runs in its data folder.
fn control_processes(cloud: &Cloud) -> Vec<Process> {
    let control = cloud.home().join("control");
    let mut found = cloud.processes();
    found.retain(|process| {
        let folder = std::fs::read_link(format!("/proc/{}/cwd", process.pid)).unwrap_or_default();
        process.pid != cloud.pid() && (folder.starts_with(&control) || process.command.contains("/control"))
    });
    assert!(!found.is_empty(), "the control database has a server");
    found
}

fn signal(processes: &[Process], signal: Signal) {
    for process in processes {
        kill(Pid::from_raw(process.pid), signal).expect("the process is there");
    }
}

#[tokio::test]
async fn strangers_and_platform_routes_get_nothing() {
    let cloud = Cloud::start().await;
    let project = cloud.api().new_project(cloud.organization(), "Closed").await;
    let data_plane = DataPlane::of(&cloud, &project.id).await;
    assert_eq!(data_plane.get("/_hearth/v1/status").await.status, 404, "the gateway never forwards platform routes");
    assert_eq!(data_plane.get("//_hearth/v1/status").await.status, 404);
    assert_eq!(data_plane.get("/%5fhearth/v1/status").await.status, 404);
    let direct = DataPlane::at(project.direct_url.as_deref().expect("a local project"), None).with_token("guess");
    assert_eq!(
        direct.get("/_hearth/v1/status").await.status,
        401,
        "nor does the data plane answer without the platform token"
    );
    cloud.finish().await;
}
