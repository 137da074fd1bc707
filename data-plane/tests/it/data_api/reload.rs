//! The schema changes by any path while requests go on: none is dropped, and the next one knows.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::{case::Case, twin::Stage};

const CHANGES: usize = 8;

/// Far above the tenth of a second it takes, so that a busy machine fails nothing.
const LIMIT: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_known_at_once_and_drop_nothing() {
    let stage = Arc::new(Stage::start().await);
    let direct = stage.project.superuser().await;
    let (running, answered) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let reader = {
        let (stage, running, answered) = (Arc::clone(&stage), Arc::clone(&running), Arc::clone(&answered));
        tokio::spawn(async move {
            while running.load(Ordering::Relaxed) {
                let answer = stage.ask(&Case::new("GET /directors?select=name,films(title)&id=eq.3")).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                answered.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    for number in 0..CHANGES {
        let table = format!("new_{number}");
        direct
            .batch_execute(&format!(
                "set role project_admin; create table {table} (id int primary key, film_id int references films (id));
                 insert into {table} values (1, 2); reset role"
            ))
            .await
            .expect("a table");
        let begun = Instant::now();
        let case = Case::new(format!("GET /{table}?select=id,films(title)"));
        loop {
            let answer = stage.ask(&case).await;
            if answer.status == 200 {
                assert_eq!(answer.body, serde_json::json!([{"id": 1, "films": {"title": "Parasite"}}]));
                break;
            }
            assert_eq!(answer.code(), "42P01", "{answer:?}");
            assert!(begun.elapsed() < LIMIT, "{table} stays unknown");
        }
    }
    running.store(false, Ordering::Relaxed);
    reader.await.expect("no request is dropped");
    assert!(answered.load(Ordering::Relaxed) >= CHANGES);
}
