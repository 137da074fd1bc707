//! What was used arrives at the control plane: all of it, once, in sequence.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use axum::{Json, Router, extract::State, routing::post};
use data_plane_contract::usage::{Metric, UsageAccepted, UsageBatch, UsageRecord};
use http::{HeaderMap, StatusCode};
use ids::ProjectId;

use crate::harness::{Edge, Settings, eventually};

const HOST: &str = "a.us-east.localhost";

/// Stores records as the control plane does: known ones are ignored, gaps refused.
#[derive(Clone, Default)]
struct Ledger {
    records: Arc<Mutex<Vec<UsageRecord>>>,
    sources: Arc<Mutex<Vec<String>>>,
    down: Arc<AtomicBool>,
    /// Stores a batch and then fails to say so.
    forgets_to_answer: Arc<AtomicBool>,
}

impl Ledger {
    async fn start() -> (Self, String) {
        let ledger = Self::default();
        let router = Router::new().route("/internal/v1/usage-records", post(accept)).with_state(ledger.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (ledger, url)
    }

    fn total(&self, project: ProjectId, metric: Metric) -> i64 {
        let records = self.records.lock().unwrap();
        records
            .iter()
            .filter(|record| record.project_id == project && record.metric == metric)
            .map(|record| record.amount)
            .sum()
    }

    fn assert_gapless(&self) {
        for (index, record) in self.records.lock().unwrap().iter().enumerate() {
            assert_eq!(record.sequence, index as i64 + 1);
            assert!(record.from <= record.to && record.amount > 0);
        }
        let sources = self.sources.lock().unwrap();
        assert!(sources.iter().all(|source| *source == sources[0] && source.starts_with("gateway:test:")));
    }
}

async fn accept(
    State(ledger): State<Ledger>,
    headers: HeaderMap,
    Json(batch): Json<UsageBatch>,
) -> Result<Json<UsageAccepted>, StatusCode> {
    assert_eq!(headers["authorization"], "Bearer internal");
    if ledger.down.load(Ordering::SeqCst) {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    ledger.sources.lock().unwrap().push(batch.source);
    let mut records = ledger.records.lock().unwrap();
    for record in batch.records {
        if record.sequence == records.len() as i64 + 1 {
            records.push(record);
        } else {
            assert!(record.sequence <= records.len() as i64, "a gap before {}", record.sequence);
        }
    }
    if ledger.forgets_to_answer.swap(false, Ordering::SeqCst) {
        return Err(StatusCode::BAD_GATEWAY);
    }
    Ok(Json(UsageAccepted { sequence: records.len() as i64 }))
}

fn settings(url: &str) -> Settings {
    Settings { usage_url: Some(url.to_owned()), ..Settings::default() }
}

#[tokio::test]
async fn requests_and_egress_arrive_within_seconds() {
    let (ledger, url) = Ledger::start().await;
    let edge = Edge::start_with(settings(&url)).await;
    let project = edge.project(HOST).await;
    for _ in 0..7 {
        assert_eq!(edge.get(HOST, "/bytes/1000").await.0, 200);
    }
    assert_eq!(edge.get("nobody.us-east.localhost", "/").await.0, 404);
    eventually("usage arrives", async || ledger.total(project, Metric::EgressBytes) == 7000).await;
    assert_eq!(ledger.total(project, Metric::Requests), 7);
    ledger.assert_gapless();
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_over_outages_crashes_and_lost_answers() {
    let (ledger, url) = Ledger::start().await;
    let mut edge = Edge::start_with(settings(&url)).await;
    let project = edge.project(HOST).await;
    let mut sent = 0;
    for round in 0..4 {
        ledger.down.store(round % 2 == 1, Ordering::SeqCst);
        ledger.forgets_to_answer.store(round == 2, Ordering::SeqCst);
        for _ in 0..5 {
            assert_eq!(edge.get(HOST, "/bytes/100").await.0, 200);
            sent += 1;
        }
        let folder = edge.home.path().join("gateway/usage");
        eventually("the second is flushed", async || on_disk(&folder) == sent).await;
        edge = edge.crash_and_restart(settings(&url)).await;
    }
    ledger.down.store(false, Ordering::SeqCst);
    eventually("all usage arrives", async || ledger.total(project, Metric::Requests) == sent).await;
    assert_eq!(ledger.total(project, Metric::EgressBytes), sent * 100);
    ledger.assert_gapless();
}

/// Requests recorded in the spool, which is far from rotating in these tests.
fn on_disk(folder: &std::path::Path) -> i64 {
    let text = std::fs::read_to_string(folder.join("00000000000000000001.jsonl")).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str::<UsageRecord>(line).ok())
        .filter(|record| record.metric == Metric::Requests)
        .map(|record| record.amount)
        .sum()
}

#[tokio::test]
async fn a_torn_last_line_is_cut_and_its_number_given_again() {
    let (ledger, url) = Ledger::start().await;
    let edge = Edge::start().await;
    let project = edge.project(HOST).await;
    assert_eq!(edge.get(HOST, "/bytes/10").await.0, 200);
    let folder = edge.home.path().join("gateway/usage");
    eventually("usage is flushed", async || on_disk(&folder) == 1).await;
    let file = folder.join("00000000000000000001.jsonl");
    let mut text = std::fs::read_to_string(&file).unwrap();
    let whole_lines = text.lines().count() as i64;
    text.push_str("{\"project_id\":\"01");
    std::fs::write(&file, text).unwrap();
    let edge = edge.crash_and_restart(settings(&url)).await;
    assert_eq!(edge.get(HOST, "/bytes/10").await.0, 200);
    eventually("usage arrives", async || ledger.total(project, Metric::Requests) == 2).await;
    assert!(ledger.records.lock().unwrap().len() as i64 > whole_lines);
    ledger.assert_gapless();
}

#[tokio::test]
async fn a_stopping_gateway_ships_what_it_counted_last() {
    let (ledger, url) = Ledger::start().await;
    let edge = Edge::start_with(settings(&url)).await;
    let project = edge.project(HOST).await;
    assert_eq!(edge.get(HOST, "/bytes/10").await.0, 200);
    edge.gateway.shutdown().await;
    assert_eq!(ledger.total(project, Metric::Requests), 1);
    assert_eq!(ledger.total(project, Metric::EgressBytes), 10);
}
