//! Sleep, wake, shutdown and resume.

use std::time::Duration;

use ids::ProjectId;
use providers::{Compute as _, ComputeReader as _, Database as _, DatabaseReader as _, Error, suite};
use providers_local::PoolChoice;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinSet};

use crate::harness::{Home, get, noted_pid, processes_in, until};

const AT_ONCE: Duration = Duration::ZERO;

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_project_sleeps_without_processes_and_wakes_once() {
    let home = Home::new(PoolChoice::Auto).await;
    let (id, address) = home.create().await;
    assert_eq!(get(address, "/id").await, Some(id.to_string()));
    assert!(!home.node.sleep(id, Duration::from_mins(1)).await.expect("asks"), "it was just used");

    let mut held = TcpStream::connect(address).await.expect("it listens");
    held.write_all(b"GET /hold HTTP/1.1\r\nhost: test\r\n\r\n").await.expect("it reads");
    held.readable().await.expect("it answers the head");
    assert!(!home.node.sleep(id, AT_ONCE).await.expect("asks"), "a request is open");
    drop(held);
    until("it sleeps", || async { home.node.sleep(id, AT_ONCE).await.expect("asks") }).await;
    let project = home.node.socket_folder(id).parent().expect("it has one").to_owned();
    assert_eq!(processes_in(&project), Vec::<String>::new());
    assert!(home.node.awake().is_empty());
    assert!(home.node.sleep(id, AT_ONCE).await.expect("it sleeps already"));

    let mut callers = JoinSet::new();
    for _ in 0..12 {
        let node = home.node.clone();
        callers.spawn(async move { node.wake(id).await });
    }
    let second = home.open_again().await;
    callers.spawn(async move {
        let woken = second.wake(id).await;
        second.shutdown().await?;
        woken
    });
    for woken in callers.join_all().await {
        assert_eq!(woken.expect("it wakes"), address);
    }
    assert_eq!(get(address, "/id").await, Some(id.to_string()));
    assert_eq!(
        processes_in(&project)
            .iter()
            .filter(|process| process.contains("stand_in") || process.contains("hearth-data"))
            .count(),
        1
    );
    assert_eq!(home.node.awake().first().map(|(awake, _)| *awake), Some(id));
    home.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_project_is_not_woken_and_an_unknown_one_is_missing() {
    let home = Home::new(PoolChoice::Auto).await;
    let (id, _) = home.create().await;
    home.node.stop_data_plane(id).await.expect("stops");
    assert!(matches!(home.node.wake(id).await, Err(Error::Refused(_))));
    home.node.stop_database(id).await.expect("stops");
    assert!(matches!(home.node.wake(id).await, Err(Error::Refused(_))));
    assert!(matches!(home.node.wake(ProjectId::generate()).await, Err(Error::Missing(_))));
    home.node.ensure_data_plane(&suite::data_plane(id, "a")).await.expect("it is ensured again, database and all");
    assert!(home.node.describe_database(id).await.expect("describes").expect("exists").running);
    home.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_stops_everything_and_resume_brings_back_who_was_awake() {
    let mut home = Home::new(PoolChoice::Auto).await;
    let (awake, address) = home.create().await;
    let (asleep, _) = home.create().await;
    suite::Subject::put_mark(&home, awake, "kept").await;
    assert!(home.node.sleep(asleep, AT_ONCE).await.expect("sleeps"));

    let neighbour = home.open_again().await;
    neighbour.shutdown().await.expect("leaves");
    assert_eq!(get(address, "/id").await, Some(awake.to_string()), "the other process goes on serving");

    let data = home.data();
    home.node.shutdown().await.expect("stops");
    assert!(home.node.wake(awake).await.expect_err("it is closed").retryable());
    assert_eq!(processes_in(&data), Vec::<String>::new());
    home.reopen().await;
    assert!(home.node.awake().is_empty());
    home.node.resume().await.expect("resumes");
    assert_eq!(home.node.awake().into_iter().map(|(id, _)| id).collect::<Vec<_>>(), [awake]);
    assert_eq!(get(address, "/id").await, Some(awake.to_string()));
    assert_eq!(suite::Subject::marks(&home, awake).await, ["kept"]);
    assert!(noted_pid(&home, asleep, "postgres").is_none());
    assert!(!home.node.describe_data_plane(asleep).await.expect("describes").expect("exists").running);
    home.end().await;
}
