//! Crashes: of a project's processes, and of the process that started them.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use ids::ProjectId;
use providers::{Compute as _, Database as _, suite};
use providers_local::{LocalNode, PoolChoice};
use tokio_util::sync::CancellationToken;

use crate::harness::{Home, config, get, kill, noted_pid, processes_in, until};

#[tokio::test(flavor = "multi_thread")]
async fn crashed_processes_are_restarted() {
    let home = Home::new(PoolChoice::Auto).await;
    let (id, address) = home.create().await;
    suite::Subject::put_mark(&home, id, "kept").await;
    let shutdown = CancellationToken::new();
    let supervisor = {
        let (node, shutdown) = (home.node.clone(), shutdown.clone());
        tokio::spawn(async move { node.supervise(shutdown).await })
    };
    for name in ["data-plane", "postgres"] {
        let before = noted_pid(&home, id, name).expect("it runs");
        kill(before);
        until("it is restarted", || async { noted_pid(&home, id, name).is_some_and(|pid| pid != before) }).await;
        until("it answers", || async { get(address, "/id").await == Some(id.to_string()) }).await;
    }
    let running = || async { home.node.wake(id).await.is_ok() };
    until("Postgres serves", running).await;
    assert_eq!(suite::Subject::marks(&home, id).await, ["kept"]);

    // What is stopped on purpose stays stopped.
    home.node.stop_data_plane(id).await.expect("stops");
    home.node.stop_database(id).await.expect("stops");
    shutdown.cancel();
    supervisor.await.expect("it ends");
    assert!(processes_in(home.node.socket_folder(id).parent().expect("it has one")).is_empty());
    home.end().await;
}

/// Plays `hearth` in a process of its own until it is killed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by killed_predecessor"]
async fn predecessor() {
    let home = PathBuf::from(std::env::var("TEST_HOME").expect("set by the caller"));
    let port = std::env::var("TEST_PORT").expect("set by the caller").parse().expect("a number");
    let node = LocalNode::open(config(&home, PoolChoice::Auto, port)).await.expect("opens");
    let ids: Vec<ProjectId> =
        std::env::var("TEST_IDS").expect("set by the caller").split(',').map(|id| id.parse().expect("an id")).collect();
    node.ensure_database(&suite::new_database(ids[0])).await.expect("is made");
    let plane = node.ensure_data_plane(&suite::data_plane(ids[0], "a")).await.expect("is made");
    node.ensure_snapshot(ids[0], "t0").await.expect("is kept");
    println!("\nready {}", plane.address);
    // Busy with a second project when it is killed.
    loop {
        node.ensure_database(&suite::new_database(ids[1])).await.expect("is made");
        node.drop_database(ids[1]).await.expect("is removed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_predecessor_leaves_projects_running_and_half_made_ones_are_redone() {
    let mut home = Home::new(PoolChoice::Auto).await;
    home.node.prepare_template().await.expect("is built");
    for round in 0..6_u64 {
        let ids = [ProjectId::generate(), ProjectId::generate()];
        let test = ["survival::predecessor", "--exact", "--ignored", "--nocapture"];
        let mut child = Command::new(std::env::current_exe().expect("a path"))
            .args(test)
            .env("TEST_HOME", home.folder.path())
            .env("TEST_PORT", home.first_port.to_string())
            .env("TEST_IDS", format!("{},{}", ids[0], ids[1]))
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("ready ")?.parse().ok())
            .expect("it gets ready");
        // A different moment of the second project's life in every round.
        tokio::time::sleep(std::time::Duration::from_millis(round * 70)).await;
        child.kill().expect("is killed");
        child.wait().expect("is collected");

        assert_eq!(get(address, "/id").await, Some(ids[0].to_string()), "the project outlives its starter");
        let before = noted_pid(&home, ids[0], "postgres");
        home.reopen().await;
        assert_eq!(home.node.wake(ids[0]).await.expect("is awake"), address);
        assert_eq!(noted_pid(&home, ids[0], "postgres"), before, "it is adopted, not restarted");
        home.node.ensure_database(&suite::new_database(ids[1])).await.expect("half-made ones are redone");
        suite::Subject::put_mark(&home, ids[1], "works").await;
        home.remove(ids[1]).await;
        home.remove(ids[0]).await;
    }
    home.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_taken_by_someone_else_is_skipped() {
    let home = Home::new(PoolChoice::Auto).await;
    let ports = home.first_port..home.first_port + 39;
    let taken: BTreeMap<u16, _> = ports
        .filter_map(|port| std::net::TcpListener::bind(("127.0.0.1", port)).ok().map(|listener| (port, listener)))
        .collect();
    assert!(taken.len() > 30, "hardly anything was free");
    let (id, address) = home.create().await;
    assert!(!taken.contains_key(&address.port()), "{address} was taken");
    assert_eq!(get(address, "/id").await, Some(id.to_string()));
    drop(taken);
    home.end().await;
}
