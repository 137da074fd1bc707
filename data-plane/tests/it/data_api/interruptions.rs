//! Load while Postgres restarts twice: no wrong answer, every failure can be retried, and soon all is well again.

use std::{
    os::unix::process::CommandExt as _,
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{case::Case, twin::Stage};
use crate::database_harness::program;

/// Seconds of load by default; `HEARTH_LOAD_SECONDS` asks for more.
const SECONDS: u64 = 9;
const WORKERS: usize = 8;
const RECOVERY_LIMIT: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_of_postgres_lose_nothing_and_last_no_longer_than_they_must() {
    let stage = Arc::new(Stage::start().await);
    let data = stage.project.socket_folder().with_file_name("data");
    let seconds = std::env::var("HEARTH_LOAD_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    let phase = Duration::from_secs(seconds) / 3;
    let running = Arc::new(AtomicBool::new(true));
    let (next, succeeded) = (Arc::new(AtomicI64::new(1000)), Arc::new(Mutex::new(Vec::<Instant>::new())));
    let written = Arc::new(Mutex::new(Vec::new()));
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        let (stage, running, next) = (Arc::clone(&stage), Arc::clone(&running), Arc::clone(&next));
        let (succeeded, written) = (Arc::clone(&succeeded), Arc::clone(&written));
        workers.push(tokio::spawn(async move {
            while running.load(Ordering::Relaxed) {
                let read = stage.ask(&Case::new("GET /films?select=id,title&id=eq.2")).await;
                match read.status {
                    200 => {
                        assert_eq!(read.body, serde_json::json!([{"id": 2, "title": "Parasite"}]));
                        succeeded.lock().expect("no holder panics").push(Instant::now());
                    }
                    status => assert_eq!(status, 503, "{read:?}"),
                }
                let id = next.fetch_add(1, Ordering::Relaxed);
                let mut insert = Case::new("POST /plain");
                insert.body = Some(format!("{{\"id\": {id}}}"));
                let inserted = stage.ask(&insert).await;
                match inserted.status {
                    201 => written.lock().expect("no holder panics").push(id),
                    status => assert_eq!(status, 503, "{inserted:?}"),
                }
            }
        }));
    }
    let restarted = [restart_after(phase, &data).await, restart_after(phase, &data).await];
    tokio::time::sleep(phase).await;
    running.store(false, Ordering::Relaxed);
    for worker in workers {
        worker.await.expect("no wrong answer");
    }
    let succeeded = succeeded.lock().expect("no holder panics").clone();
    for at in restarted {
        let first = succeeded.iter().filter(|success| **success > at).min().expect("it recovers");
        assert!(first.duration_since(at) < RECOVERY_LIMIT, "recovery took {:?}", first.duration_since(at));
    }
    let direct = stage.project.superuser().await;
    let written = written.lock().expect("no holder panics").clone();
    let kept: i64 = direct
        .query_one(
            "select count(*) from plain where id = any($1)",
            &[&written.iter().map(|id| i32::try_from(*id).expect("few rows")).collect::<Vec<_>>()],
        )
        .await
        .expect("Postgres answers")
        .get(0);
    assert_eq!(usize::try_from(kept), Ok(written.len()), "what was told written is there");
    control(&data, "stop");
}

/// Restarts after a while; when Postgres answered again.
async fn restart_after(phase: Duration, data: &Path) -> Instant {
    tokio::time::sleep(phase).await;
    let data = data.to_path_buf();
    tokio::task::spawn_blocking(move || control(&data, "restart")).await.expect("pg_ctl runs");
    Instant::now()
}

fn control(data: &Path, word: &str) {
    let mut command: Command = program("pg_ctl");
    command.process_group(0).args([word, "-w", "-m", "fast", "-l", "/dev/null", "-D"]).arg(data);
    assert!(command.status().expect("pg_ctl runs").success(), "pg_ctl {word}");
}
