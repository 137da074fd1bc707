//! Conservation: whatever is killed, repeated, reordered or dated wrongly, what is reported is what happened, to the last byte.
//!
//! The driver keeps the truth: it counts what it was answered. Nothing is under way when something is killed, so that there is one truth;
//! and nothing is waited for before a kill, so that what was counted a moment before has to survive it. `HEARTH_CHAOS_PROJECTS` and
//! `HEARTH_CHAOS_ROUNDS` make the run longer than CI has time for.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use chrono::{NaiveDate, Utc};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tests::{Cloud, api::http_client, wait};

/// Longest wait for something to be reported, or for a project to serve again after a kill.
const LIMIT: Duration = Duration::from_secs(120);
const COUNTERS: [&str; 5] = ["requests", "egress_bytes", "function_calls", "mcp_calls", "ai_tokens"];

type Truth = BTreeMap<&'static str, i64>;

struct Project {
    id: String,
    host: String,
    api_key: String,
    /// What the driver knows it used, with what was reported before the driver began.
    truth: Truth,
}

struct Driver {
    cloud: Cloud,
    http: Client,
    partner: String,
    secret: String,
    projects: Vec<Project>,
    random: u64,
    /// Next number of the driver's own source.
    sequence: i64,
}

fn setting(name: &str, otherwise: usize) -> usize {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

impl Driver {
    async fn start(count: usize) -> Self {
        let cloud = Cloud::start().await;
        let arguments = ["partner", "create", "--name", "Chaos", "--kind", "white-label", "--json"];
        let output = cloud.command(&arguments).output().expect("hearth runs");
        let made: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
        let text = |field: &str| made[field].as_str().expect("text").to_owned();
        let (partner, secret) = (text("id"), text("secret"));
        let http = http_client(None);
        let mut driver = Self { cloud, http, partner, secret, projects: Vec::new(), random: 0x5eed, sequence: 1 };
        for number in 0..count {
            let body = json!({ "project_name": format!("chaos {number}") });
            let made = driver.partner_call(Method::POST, "/sync-embedded-project", Some(body)).await;
            let project = &made["project"];
            let text = |field: &str| project[field].as_str().unwrap_or_else(|| panic!("{field}: {made}")).to_owned();
            let (id, api_key) = (text("id"), text("api_key"));
            let host = text("access_host");
            let host = host.trim_start_matches("https://").split(':').next().unwrap_or_default().to_owned();
            driver.projects.push(Project { id, host, api_key, truth: Truth::new() });
        }
        driver.know_the_beginning().await;
        driver
    }

    fn below(&mut self, bound: usize) -> usize {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.random >> 33).expect("31 bits") % bound
    }

    async fn partner_call(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let url = format!("{}/partnership/v1/{}{path}", self.cloud.announcement().api_url, self.partner);
        let mut request = self.http.request(method, url).header("x-partnership-secret", &self.secret);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("the control plane answers");
        let (status, text) = (response.status(), response.text().await.expect("a body"));
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// One request through the gateway; the driver's truth grows by what the project answered.
    async fn request(&mut self, index: usize, method: Method, path: &str, counts: &[&'static str]) -> Option<u16> {
        let port = self.cloud.ports().gateway_http.port();
        let project = &mut self.projects[index];
        let url = format!("http://{}:{port}{path}", project.host);
        let request = self.http.request(method, url).header("x-api-key", &project.api_key);
        let response = request.json(&json!({ "tool_name": "chaos" })).send().await.ok()?;
        let status = response.status().as_u16();
        let body = response.bytes().await.expect("an answer that began comes whole");
        // What the gateway says itself is no answer of the project; it says so in a way of its own.
        if matches!(status, 502..=504) && !body.starts_with(b"{\"error\":\"The functions runtime") {
            return Some(status);
        }
        let mut add = |metric: &'static str, amount: usize| {
            *project.truth.entry(metric).or_insert(0) += i64::try_from(amount).expect("small");
        };
        add("requests", 1);
        add("egress_bytes", body.len());
        for &metric in counts {
            add(metric, 1);
        }
        Some(status)
    }

    async fn serves(&mut self, index: usize) {
        let begun = Instant::now();
        while self.request(index, Method::GET, "/api/health", &[]).await != Some(200) {
            assert!(begun.elapsed() < LIMIT, "{} does not serve", self.projects[index].host);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Some use of some projects, one request after the other.
    async fn use_projects(&mut self, requests: usize) {
        for _ in 0..requests {
            let index = self.below(self.projects.len());
            match self.below(4) {
                0 | 1 => self.request(index, Method::GET, "/api/health", &[]).await,
                2 => self.request(index, Method::POST, "/functions/nothing", &["function_calls"]).await,
                _ => self.request(index, Method::POST, "/api/usage/mcp", &["mcp_calls"]).await,
            };
        }
    }

    /// Kills the data plane of a project; whoever supervises it starts another.
    async fn kill_data_plane(&mut self, index: usize) {
        let processes = self.cloud.processes_of_project(&self.projects[index].id);
        let plane = processes.iter().find(|process| process.command.contains("hearth-data-plane"));
        if let Some(plane) = plane {
            kill(Pid::from_raw(plane.pid), Signal::SIGKILL).expect("it was running a moment ago");
        }
        self.serves(index).await;
    }

    /// Kills control plane, worker and gateway at once.
    async fn kill_cloud(&mut self) {
        self.cloud.kill().await;
        self.cloud.restart().await;
        for index in 0..self.projects.len() {
            self.serves(index).await;
        }
    }

    /// Delivers records as the parts of the cloud do.
    async fn deliver(&self, source: &str, records: &[Value]) -> i64 {
        let token = fs::read_to_string(self.cloud.home().join("internal.token")).expect("a cloud has a token");
        let url = format!("{}/internal/v1/usage-records", self.cloud.announcement().api_url);
        let body = json!({ "source": source, "records": records });
        let response = self.http.post(url).bearer_auth(token.trim()).json(&body).send().await.expect("answers");
        assert_eq!(response.status(), 200, "{body}");
        response.json::<Value>().await.expect("JSON")["sequence"].as_i64().expect("a number")
    }

    /// Delivers what lies in the gateway's spool again: the later half first, then all of it, then all of it once more.
    async fn repeat_deliveries(&self) {
        let folder = self.cloud.home().join("gateway/usage");
        let source = fs::read_to_string(folder.join("source")).expect("the gateway has a name");
        let mut records: Vec<Value> = Vec::new();
        for entry in fs::read_dir(&folder).expect("the gateway has a spool").flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "jsonl") {
                let text = fs::read_to_string(entry.path()).unwrap_or_default();
                // A line that is just being written is not one yet.
                records.extend(text.lines().filter_map(|line| serde_json::from_str(line).ok()));
            }
        }
        records.sort_by_key(|record: &Value| record["sequence"].as_i64());
        records.truncate(800);
        let middle = records.len() / 2;
        for part in [&records[middle..], &records[..], &records[..]] {
            self.deliver(source.trim(), part).await;
        }
    }

    /// Records of a source whose clock is set back and forth.
    async fn step_clocks(&mut self) {
        let now = Utc::now();
        let mut records = Vec::new();
        for hours in [0, 24 * 400, -48, -1, 2] {
            let at = now + chrono::Duration::hours(hours);
            let index = self.below(self.projects.len());
            let amount = i64::try_from(self.below(1000)).expect("small");
            *self.projects[index].truth.entry("ai_tokens").or_insert(0) += amount;
            records.push(json!({
                "project_id": self.projects[index].id, "metric": "ai_tokens", "from": at, "to": at, "amount": amount,
                "sequence": self.sequence,
            }));
            self.sequence += 1;
        }
        let last = self.deliver("driver:1", &records).await;
        assert_eq!(last, self.sequence - 1);
    }

    /// Days as the partner sees them, with those that the clock steps above reach.
    async fn daily(&self) -> Vec<Value> {
        let path = format!("/usage/daily?start_date={}&end_date={}", days_ago(6), days_ago(0));
        self.partner_call(Method::GET, &path, None).await["rows"].as_array().expect("a list").clone()
    }

    async fn reported(&self) -> BTreeMap<String, Truth> {
        let mut reported: BTreeMap<String, Truth> = BTreeMap::new();
        for row in self.daily().await.iter().filter(|row| row["kind"] == "project") {
            let of_project = reported.entry(row["project_id"].as_str().expect("an id").to_owned()).or_default();
            for metric in COUNTERS {
                *of_project.entry(metric).or_insert(0) += row[metric].as_i64().expect("a whole number");
            }
        }
        reported
    }

    /// What was asked of the projects while they were made is not the driver's. Reports stand still when all of it is in them.
    async fn know_the_beginning(&mut self) {
        let (begun, mut seen, mut unchanged_since) = (Instant::now(), self.reported().await, Instant::now());
        // Several times as long as a flush and its delivery take.
        while unchanged_since.elapsed() < Duration::from_secs(8) {
            assert!(begun.elapsed() < LIMIT, "the reports never stand still");
            tokio::time::sleep(Duration::from_millis(250)).await;
            let now = self.reported().await;
            if now != seen {
                (seen, unchanged_since) = (now, Instant::now());
            }
        }
        for project in &mut self.projects {
            project.truth = seen.get(&project.id).cloned().unwrap_or_default();
        }
    }

    /// Every metric of every project is exactly what the driver knows, and stays so.
    async fn check_truth(&self) {
        let expected = |project: &Project| {
            COUNTERS.iter().map(|metric| (*metric, project.truth.get(metric).copied().unwrap_or(0))).collect::<Truth>()
        };
        let mut last = BTreeMap::new();
        let begun = Instant::now();
        loop {
            let reported = self.reported().await;
            let wrong: Vec<String> = self
                .projects
                .iter()
                .filter(|project| reported.get(&project.id) != Some(&expected(project)))
                .map(|project| {
                    format!("{}: {:?} instead of {:?}", project.id, reported.get(&project.id), expected(project))
                })
                .collect();
            if wrong.is_empty() && last == reported {
                return;
            }
            assert!(begun.elapsed() < LIMIT, "{wrong:#?}");
            last = reported;
            // Longer than a flush, so that what comes twice would be seen.
            tokio::time::sleep(Duration::from_millis(1500)).await;
        }
    }

    /// On every day and for every metric, projects and what is nobody's sum to the total, and nothing is nobody's.
    async fn check_sums(&self) {
        let mut parts: BTreeMap<(String, String), f64> = BTreeMap::new();
        let mut totals = parts.clone();
        for row in self.daily().await {
            let day = row["usage_date"].as_str().expect("a date").to_owned();
            for (field, value) in row.as_object().expect("fields") {
                let Some(amount) = value.as_f64() else { continue };
                let sums = if row["kind"] == "total" { &mut totals } else { &mut parts };
                *sums.entry((day.clone(), field.clone())).or_insert(0.0) += amount;
                assert!(row["kind"] != "unattributed" || amount == 0.0, "{field} of nobody on {day}: {amount}");
            }
        }
        assert!(totals.values().any(|amount| *amount > 0.0));
        assert_eq!(parts, totals);
    }

    fn check_rebuild(&self) {
        for month in [days_ago(6), days_ago(0)].map(|day| day.format("%Y-%m").to_string()) {
            let command = ["usage", "rebuild", "--month", &month, "--json"];
            let output = self.cloud.command(&command).output().expect("hearth runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if said.contains("There is no log") && month != days_ago(0).format("%Y-%m").to_string() {
                continue;
            }
            assert!(output.status.success(), "{said}");
            let rebuilt: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            assert_eq!((&rebuilt["removed"], &rebuilt["added"]), (&json!(0), &json!(0)), "{rebuilt}");
        }
    }
}

fn days_ago(days: i64) -> NaiveDate {
    (Utc::now() - chrono::Duration::days(days)).date_naive()
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_whatever_is_killed_repeated_or_dated_wrongly() {
    let count = setting("HEARTH_CHAOS_PROJECTS", 4);
    let mut driver = Driver::start(count).await;
    for _ in 0..setting("HEARTH_CHAOS_ROUNDS", 2) {
        driver.use_projects(count * 5).await;
        let victim = driver.below(count);
        driver.kill_data_plane(victim).await;
        driver.use_projects(count * 5).await;
        driver.step_clocks().await;
        driver.repeat_deliveries().await;
        driver.use_projects(count * 2).await;
        driver.kill_cloud().await;
        driver.repeat_deliveries().await;
        driver.use_projects(count * 2).await;
    }
    // In the middle of the day, right after it was used.
    let gone = driver.projects[0].id.clone();
    driver.request(0, Method::POST, "/functions/nothing", &["function_calls"]).await;
    driver.partner_call(Method::DELETE, &format!("/{gone}"), None).await;
    wait::until("the project is gone", LIMIT, || async {
        driver.cloud.processes_of_project(&gone).is_empty().then_some(())
    })
    .await;
    driver.check_truth().await;
    driver.check_sums().await;
    driver.check_rebuild();
    driver.cloud.finish().await;
}
