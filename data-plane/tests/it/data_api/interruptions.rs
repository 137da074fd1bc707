//! Load while Postgres restarts twice: no wrong answer, every failure can be retried, and soon all is well again.

use std::{
    os::unix::process::CommandExt as _,
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::time::MissedTickBehavior;

use super::{
    case::{Answer, Case},
    twin::Stage,
};
use crate::database_harness::program;

/// Seconds of load by default; `HEARTH_LOAD_SECONDS` asks for more.
const SECONDS: u64 = 9;
/// Of that time, how much goes into finding out how much the machine can do.
const SHARE_OF_MEASURING: u32 = 10;
/// Load as a share of what the machine can do.
const LOAD: f64 = 0.7;
const WORKERS: u32 = 8;
const RECOVERY_LIMIT: Duration = Duration::from_secs(2);
/// How long before and after a restart's end a request counts as one around it.
const AROUND: Duration = Duration::from_secs(5);

/// What the workers share.
struct Load {
    stage: Stage,
    running: AtomicBool,
    next: AtomicI64,
    rounds: AtomicU64,
    refused: AtomicU64,
    /// When each request that succeeded began, and how long it took.
    succeeded: Mutex<Vec<(Instant, Duration)>>,
    written: Mutex<Vec<i64>>,
}

impl Load {
    /// Rounds until told to stop: as fast as they go, or one in each interval.
    async fn work(&self, interval: Option<Duration>) {
        let mut ticks = interval.map(|interval| {
            let mut ticks = tokio::time::interval(interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            ticks
        });
        while self.running.load(Ordering::Relaxed) {
            if let Some(ticks) = &mut ticks {
                ticks.tick().await;
            }
            self.round().await;
            self.rounds.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A read and a write. Either is answered rightly, or not at all.
    async fn round(&self) {
        let began = Instant::now();
        let read = self.stage.ask(&Case::new("GET /films?select=id,title&id=eq.2")).await;
        match read.status {
            200 => {
                assert_eq!(read.body, serde_json::json!([{"id": 2, "title": "Parasite"}]));
                self.succeed(began);
            }
            status => self.refuse(status, &read),
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut insert = Case::new("POST /plain");
        insert.body = Some(format!("{{\"id\": {id}}}"));
        let began = Instant::now();
        let inserted = self.stage.ask(&insert).await;
        match inserted.status {
            201 => {
                self.succeed(began);
                self.written.lock().expect("no holder panics").push(id);
            }
            status => self.refuse(status, &inserted),
        }
    }

    fn succeed(&self, began: Instant) {
        self.succeeded.lock().expect("no holder panics").push((began, began.elapsed()));
    }

    fn refuse(&self, status: u16, answer: &Answer) {
        assert_eq!(status, 503, "{answer:?}");
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}

/// Works for a while with all workers, with `between` going on meanwhile; rounds per second.
async fn put_under_load<T>(load: &Arc<Load>, interval: Option<Duration>, between: impl Future<Output = T>) -> (f64, T) {
    load.running.store(true, Ordering::Relaxed);
    let (began, before) = (Instant::now(), load.rounds.load(Ordering::Relaxed));
    let work = |_| {
        let load = Arc::clone(load);
        tokio::spawn(async move { load.work(interval).await })
    };
    let workers: Vec<_> = (0..WORKERS).map(work).collect();
    let outcome = between.await;
    load.running.store(false, Ordering::Relaxed);
    for worker in workers {
        worker.await.expect("no wrong answer");
    }
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let rounds = (load.rounds.load(Ordering::Relaxed) - before) as f64;
    (rounds / began.elapsed().as_secs_f64(), outcome)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_of_postgres_lose_nothing_and_last_no_longer_than_they_must() {
    let load = Arc::new(Load {
        stage: Stage::start().await,
        running: AtomicBool::new(false),
        next: AtomicI64::new(1000),
        rounds: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        succeeded: Mutex::default(),
        written: Mutex::default(),
    });
    let data = load.stage.project.socket_folder().with_file_name("data");
    let seconds = std::env::var("HEARTH_LOAD_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    let whole = Duration::from_secs(seconds);
    let (most, ()) = put_under_load(&load, None, tokio::time::sleep(whole / SHARE_OF_MEASURING)).await;
    let interval = Duration::from_secs_f64(f64::from(WORKERS) / (most * LOAD));
    let phase = whole * (SHARE_OF_MEASURING - 1) / SHARE_OF_MEASURING / 3;
    let restarts = async {
        let restarted = [restart_after(phase, &data).await, restart_after(phase, &data).await];
        tokio::time::sleep(phase).await;
        restarted
    };
    let (rate, restarted) = put_under_load(&load, Some(interval), restarts).await;
    let succeeded = load.succeeded.lock().expect("no holder panics").clone();
    for at in restarted {
        let ends = succeeded.iter().map(|(began, took)| *began + *took).filter(|end| *end > at);
        let recovered = ends.min().expect("it recovers").duration_since(at);
        println!("recovered {recovered:?} after Postgres answered again");
        assert!(recovered < RECOVERY_LIMIT, "recovery took {recovered:?}");
    }
    let near = |began: Instant| restarted.iter().any(|at| began + AROUND > *at && began < *at + AROUND);
    let (around, elsewhere): (Vec<_>, Vec<_>) = succeeded.iter().partition(|(began, _)| near(*began));
    for (name, requests) in [("around the restarts", around), ("elsewhere", elsewhere)] {
        let mut took: Vec<Duration> = requests.into_iter().map(|(_, took)| took).collect();
        took.sort_unstable();
        let share =
            |percent: usize| took.get((took.len().saturating_sub(1)) * percent / 100).copied().unwrap_or_default();
        println!("{name}: {} answered, p50 {:?}, p99 {:?}, longest {:?}", took.len(), share(50), share(99), share(100));
    }
    let written = load.written.lock().expect("no holder panics").clone();
    println!(
        "{rate:.0} of {most:.0} rounds a second; {} rows written, {} requests refused",
        written.len(),
        load.refused.load(Ordering::Relaxed)
    );
    let direct = load.stage.project.superuser().await;
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
