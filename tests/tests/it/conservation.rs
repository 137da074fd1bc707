//! Conservation: whatever is killed, repeated, reordered or dated wrongly, what is reported is what happened, to the last byte.
//!
//! The driver keeps the truth: it counts what it was answered. Nothing is under way when something is killed, so that there is one truth;
//! and nothing is waited for before a kill, so that what was counted a moment before has to survive it. Each role is a process of its own and
//! is killed alone; each has a clock of its own, which is stepped. A day passes in a few rounds. `HEARTH_CHAOS_PROJECTS` and
//! `HEARTH_CHAOS_ROUNDS` make the run longer than CI has time for.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    time::{Duration, Instant},
};

use chrono::{DateTime, NaiveDate, Utc};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::{Client, Method, multipart};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{Cloud, DataPlane, Options, api::http_client, wait};

/// Longest wait for something to be reported, or for a project to serve again after a kill.
const LIMIT: Duration = Duration::from_secs(120);
const COUNTERS: [&str; 6] =
    ["requests", "egress_bytes", "function_calls", "mcp_calls", "ai_tokens", "monthly_active_users"];
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The clocks of a cloud's processes: all of them ahead of the machine's by as much as has passed of the compressed day, some of them wrong.
struct Clocks {
    folder: TempDir,
    ahead_ms: i64,
}

impl Clocks {
    const ROLES: [&str; 4] = ["gateway", "control-plane", "worker", "data-plane"];

    fn start() -> Self {
        // Data planes run as users of their own.
        let readable = fs::Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new().prefix("clocks").permissions(readable).tempdir().expect("a folder");
        let clocks = Self { folder, ahead_ms: 0 };
        clocks.set_right();
        clocks
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now() + chrono::Duration::milliseconds(self.ahead_ms)
    }

    fn pass(&mut self, milliseconds: i64) {
        self.ahead_ms += milliseconds;
        self.set_right();
    }

    fn set_right(&self) {
        for role in Self::ROLES {
            self.step(role, 0);
        }
    }

    fn step(&self, role: &str, by_ms: i64) {
        let (path, draft) = (self.folder.path().join(role), self.folder.path().join("draft"));
        fs::write(&draft, (self.ahead_ms + by_ms).to_string()).expect("the folder is ours");
        fs::rename(draft, path).expect("the folder is ours");
    }
}

type Truth = BTreeMap<&'static str, i64>;

struct Project {
    id: String,
    host: String,
    api_key: String,
    /// Every process of its data plane there was.
    runs: Vec<Run>,
    stored_bytes: i64,
    /// What the driver knows it used, with what was reported before the driver began.
    truth: Truth,
}

/// A process, in milliseconds since the machine was started.
struct Run {
    pid: i32,
    started_ms: u64,
    /// The earliest and the latest moment at which it can have ended.
    ended_ms: Option<(u64, u64)>,
}

impl Run {
    /// A process that runs, as the kernel knows it.
    fn of(pid: i32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
        let started =
            stat.rsplit_once(')').and_then(|(_, fields)| fields.split_whitespace().nth(19)?.parse::<u64>().ok());
        Self { pid, started_ms: started.expect("the kernel tells when it was started") * 10, ended_ms: None }
    }
}

fn machine_ms() -> u64 {
    let uptime = fs::read_to_string("/proc/uptime").expect("the kernel tells");
    let seconds = uptime.split_whitespace().next().and_then(|text| text.parse::<f64>().ok());
    (seconds.expect("a number") * 1000.0) as u64
}

struct Driver {
    cloud: Cloud,
    clocks: Clocks,
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
        let clocks = Clocks::start();
        let environment = vec![("HEARTH_STEPPED_CLOCKS".into(), clocks.folder.path().into())];
        let cloud = Cloud::start_with(Options { separate: true, environment, ..Options::default() }).await;
        let arguments = ["partner", "create", "--name", "Chaos", "--kind", "white-label", "--json"];
        let output = cloud.command(&arguments).output().expect("hearth runs");
        let made: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
        let text = |field: &str| made[field].as_str().expect("text").to_owned();
        let (partner, secret) = (text("id"), text("secret"));
        let http = http_client(None);
        let mut driver =
            Self { cloud, clocks, http, partner, secret, projects: Vec::new(), random: 0x5eed, sequence: 1 };
        for number in 0..count {
            let body = json!({ "project_name": format!("chaos {number}") });
            let made = driver.partner_call(Method::POST, "/sync-embedded-project", Some(body)).await;
            let project = &made["project"];
            let text = |field: &str| project[field].as_str().unwrap_or_else(|| panic!("{field}: {made}")).to_owned();
            let (id, api_key) = (text("id"), text("api_key"));
            let host = text("access_host");
            let host = host.trim_start_matches("https://").split(':').next().unwrap_or_default().to_owned();
            let project = Project { id, host, api_key, runs: Vec::new(), stored_bytes: 0, truth: Truth::new() };
            let plane = driver.plane(&project);
            plane.create_bucket("things", false).await;
            let _ = plane.put("/api/auth/config", &json!({ "requireEmailVerification": false })).await.expect(200);
            driver.projects.push(project);
            let plane = driver.data_plane(number).expect("it serves");
            driver.projects[number].runs.push(Run::of(plane));
        }
        driver.know_the_beginning().await;
        driver
    }

    /// The project through the gateway, for what the driver does before it begins to count or counts itself.
    fn plane(&self, project: &Project) -> DataPlane {
        let port = self.cloud.ports().gateway_http.port();
        DataPlane::at(&format!("http://{}:{port}", project.host), None).with_token(&project.api_key)
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
        let body = json!({ "tool_name": "chaos" });
        let answer = self.send(index, counts, |http, base| http.request(method, format!("{base}{path}")).json(&body));
        answer.await.map(|(status, _)| status)
    }

    async fn send(
        &mut self,
        index: usize,
        counts: &[&'static str],
        make: impl FnOnce(&Client, &str) -> reqwest::RequestBuilder,
    ) -> Option<(u16, Value)> {
        let port = self.cloud.ports().gateway_http.port();
        let project = &mut self.projects[index];
        let base = format!("http://{}:{port}", project.host);
        let response = make(&self.http, &base).header("x-api-key", &project.api_key).send().await.ok()?;
        let status = response.status().as_u16();
        let body = response.bytes().await.expect("an answer that began comes whole");
        // What the gateway says itself is no answer of the project; it says so in a way of its own.
        if matches!(status, 502..=504) && !body.starts_with(b"{\"error\":\"The functions runtime") {
            return Some((status, Value::Null));
        }
        let mut add = |metric: &'static str, amount: usize| {
            *project.truth.entry(metric).or_insert(0) += i64::try_from(amount).expect("small");
        };
        add("requests", 1);
        add("egress_bytes", body.len());
        for &metric in counts {
            add(metric, 1);
        }
        Some((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    /// An account is made for somebody, who signs in and so is an active user of this month, once.
    async fn sign_in(&mut self, index: usize) -> Option<u16> {
        let account =
            json!({ "email": format!("user{}@example.com", self.below(1 << 30)), "password": "correct horse" });
        let mut last = None;
        for path in ["/api/auth/users", "/api/auth/sessions"] {
            let url = format!("{path}?client_type=server");
            last = self.send(index, &[], |http, base| http.post(format!("{base}{url}")).json(&account)).await;
        }
        let (status, body) = last?;
        if body["accessToken"].is_string() {
            *self.projects[index].truth.entry("monthly_active_users").or_insert(0) += 1;
        }
        Some(status)
    }

    async fn upload(&mut self, index: usize) -> Option<u16> {
        let (bytes, key) = (1 + self.below(20_000), self.below(1 << 30));
        let file = multipart::Part::bytes(vec![7; bytes]).file_name("thing");
        let form = multipart::Form::new().part("file", file);
        let path = format!("/api/storage/buckets/things/objects/{key}");
        let answer = self.send(index, &[], |http, base| http.put(format!("{base}{path}")).multipart(form)).await;
        let status = answer.map(|(status, _)| status);
        if matches!(status, Some(200 | 201)) {
            self.projects[index].stored_bytes += i64::try_from(bytes).expect("small");
        }
        status
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
            match self.below(6) {
                4 => self.sign_in(index).await,
                5 => self.upload(index).await,
                0 | 1 => self.request(index, Method::GET, "/api/health", &[]).await,
                2 => self.request(index, Method::POST, "/functions/nothing", &["function_calls"]).await,
                _ => self.request(index, Method::POST, "/api/usage/mcp", &["mcp_calls"]).await,
            };
        }
    }

    /// Kills the data plane of a project; whoever supervises it starts another, and has seen its end by then.
    async fn kill_data_plane(&mut self, index: usize) {
        let killed_ms = machine_ms();
        kill(Pid::from_raw(self.known_run(index).pid), Signal::SIGKILL).expect("it was running a moment ago");
        self.serves(index).await;
        let next = Run::of(self.data_plane(index).expect("it serves"));
        let runs = &mut self.projects[index].runs;
        runs.last_mut().expect("it was made").ended_ms = Some((killed_ms, next.started_ms));
        runs.push(next);
    }

    /// The process of a project that the driver knows to run; nobody else may have started another.
    fn known_run(&mut self, index: usize) -> &mut Run {
        let running = self.data_plane(index);
        let run = self.projects[index].runs.last_mut().expect("it was made");
        assert_eq!(running, Some(run.pid), "a data plane was replaced that the driver did not kill");
        run
    }

    /// Deletes projects and waits until nothing is left of them.
    async fn delete(&mut self, indexes: std::ops::Range<usize>) {
        for index in indexes.clone() {
            let begun_ms = machine_ms();
            self.known_run(index).ended_ms = Some((begun_ms, u64::MAX));
            self.partner_call(Method::DELETE, &format!("/{}", self.projects[index].id), None).await;
        }
        for index in indexes {
            let id = self.projects[index].id.clone();
            wait::until("nothing is left of the project", LIMIT, || async {
                (self.cloud.processes_of_project(&id).is_empty() && !self.cloud.project_folders().contains(&id))
                    .then_some(())
            })
            .await;
            let run = self.projects[index].runs.last_mut().expect("it was made");
            run.ended_ms = run.ended_ms.map(|(earliest, _)| (earliest, machine_ms()));
        }
    }

    /// Process id of a project's data plane.
    fn data_plane(&self, index: usize) -> Option<i32> {
        let processes = self.cloud.processes_of_project(&self.projects[index].id);
        processes.iter().find(|process| process.command.contains("hearth-data-plane")).map(|process| process.pid)
    }

    /// Kills one process of the cloud, and sees that everything serves again.
    async fn crash(&mut self, role: &'static str) {
        self.cloud.crash(role).await;
        for index in 0..self.projects.len() {
            self.serves(index).await;
        }
    }

    /// Steps the clocks of the processes against each other. What is dated wrongly by them counts all the same, once.
    fn step_processes(&mut self) {
        const STEPS_MS: [i64; 5] = [0, -36 * HOUR_MS, -HOUR_MS, 3 * HOUR_MS, 400 * DAY_MS];
        for role in ["gateway", "data-plane"] {
            let by = STEPS_MS[self.below(STEPS_MS.len())];
            self.clocks.step(role, by);
        }
        let by = HOUR_MS * i64::try_from(self.below(3)).expect("small") - HOUR_MS;
        self.clocks.step("worker", by);
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
        let now = self.clocks.now();
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

    fn days_ago(&self, days: i64) -> NaiveDate {
        (self.clocks.now() - chrono::Duration::days(days)).date_naive()
    }

    /// Days as the partner sees them, with those that the clock steps above reach.
    async fn daily(&self) -> Vec<Value> {
        let path = format!("/usage/daily?start_date={}&end_date={}", self.days_ago(6), self.days_ago(0));
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

    /// How large Postgres says a project's database is; the question is use of the project like any other.
    async fn database_size(&mut self, index: usize) -> i64 {
        let query = json!({ "query": "select pg_database_size(current_database())::text as bytes" });
        let path = "/api/database/advance/rawsql";
        let answer = self.send(index, &[], |http, base| http.post(format!("{base}{path}")).json(&query)).await;
        let (status, body) = answer.expect("it serves");
        assert_eq!(status, 200, "{body}");
        body["rows"][0]["bytes"].as_str().and_then(|bytes| bytes.parse().ok()).expect("a whole number of bytes")
    }

    /// A day on which nothing happens has what the last sample found.
    async fn check_gauges(&mut self) {
        let mut sizes = BTreeMap::new();
        for index in 1..self.projects.len() {
            let size = self.database_size(index).await;
            sizes.insert(self.projects[index].id.clone(), (index, size));
        }
        wait::until("every last sample is in the reports", LIMIT, || async {
            let rows = self.daily().await;
            let wrong = |row: &&Value| {
                let Some((index, size)) = row["project_id"].as_str().and_then(|id| sizes.get(id)) else { return false };
                let today = row["usage_date"] == self.days_ago(0).to_string();
                let stored = row["storage_bytes"].as_i64() != Some(self.projects[*index].stored_bytes);
                today && (stored || row["database_bytes"].as_i64().is_none_or(|bytes| bytes < *size))
            };
            rows.iter().all(|row| !wrong(&row)).then_some(())
        })
        .await;
        // Nobody asks the projects from here on, so the next day has nothing but what is carried into it.
        self.clocks.pass(DAY_MS);
        let tomorrow = self.days_ago(0).to_string();
        for row in self.daily().await.iter().filter(|row| row["kind"] == "project") {
            let Some((index, size)) = row["project_id"].as_str().and_then(|id| sizes.get(id)) else { continue };
            if row["usage_date"] == tomorrow {
                assert_eq!(row["storage_bytes"].as_i64(), Some(self.projects[*index].stored_bytes), "{row}");
                // What was measured last may be measured while the database writes down what it was asked.
                let bytes = row["database_bytes"].as_i64().expect("a whole number");
                assert!((*size..size + size / 10).contains(&bytes), "{bytes} instead of {size}: {row}");
            }
        }
    }

    /// Of projects that are gone, compute is the whole seconds of all their processes, each from its start to its end.
    async fn check_compute(&self) {
        let rows = self.daily().await;
        for project in &self.projects {
            let of_project = rows.iter().filter(|row| row["project_id"] == project.id.as_str());
            let reported: u64 = of_project.map(|row| row["ec2_compute"].as_u64().expect("whole seconds")).sum();
            let (mut least_ms, mut most_ms) = (0, 0);
            for Run { started_ms, ended_ms, .. } in &project.runs {
                let (earliest, latest) = ended_ms.expect("it is gone");
                least_ms += earliest - started_ms;
                most_ms += latest - started_ms;
            }
            let truth = least_ms / 1000..=most_ms / 1000;
            eprintln!("{}: {reported} s of {} processes, truth {truth:?}", project.id, project.runs.len());
            assert!(truth.contains(&reported), "{}: {reported} s instead of {least_ms} to {most_ms} ms", project.id);
        }
    }

    fn check_rebuild(&self) {
        for month in [self.days_ago(6), self.days_ago(0)].map(|day| day.format("%Y-%m").to_string()) {
            let command = ["usage", "rebuild", "--month", &month, "--json"];
            let output = self.cloud.command(&command).output().expect("hearth runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if said.contains("There is no log") && month != self.days_ago(0).format("%Y-%m").to_string() {
                continue;
            }
            assert!(output.status.success(), "{said}");
            let rebuilt: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            assert_eq!((&rebuilt["removed"], &rebuilt["added"]), (&json!(0), &json!(0)), "{rebuilt}");
        }
    }
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_whatever_is_killed_repeated_or_dated_wrongly() {
    let count = setting("HEARTH_CHAOS_PROJECTS", 3);
    let rounds = setting("HEARTH_CHAOS_ROUNDS", 2);
    let mut driver = Driver::start(count).await;
    for round in 0..rounds {
        driver.use_projects(count * 3).await;
        let victim = driver.below(count);
        driver.kill_data_plane(victim).await;
        driver.use_projects(count * 3).await;
        driver.step_processes();
        driver.step_clocks().await;
        driver.use_projects(count * 2).await;
        driver.crash("gateway").await;
        driver.repeat_deliveries().await;
        driver.use_projects(count * 2).await;
        driver.crash("control-plane").await;
        driver.use_projects(count * 2).await;
        driver.crash("worker").await;
        driver.use_projects(count * 2).await;
        driver.clocks.set_right();
        if round % 4 == 1 {
            driver.kill_cloud().await;
        }
        driver.repeat_deliveries().await;
        driver.clocks.pass(DAY_MS / i64::try_from(rounds).expect("small"));
    }
    // In the middle of the day, right after it was used.
    driver.request(0, Method::POST, "/functions/nothing", &["function_calls"]).await;
    driver.delete(0..1).await;
    driver.check_truth().await;
    driver.check_gauges().await;
    driver.delete(1..count).await;
    // Reports stand still after it, so that those of compute are whole too.
    driver.check_truth().await;
    driver.check_compute().await;
    driver.check_sums().await;
    driver.check_rebuild();
    driver.cloud.finish().await;
}

#[tokio::test]
async fn a_project_that_is_removed_while_the_control_plane_is_down_leaves_its_usage() {
    let mut driver = Driver::start(1).await;
    let gone = driver.projects[0].id.clone();
    driver.cloud.stop_role("worker").await;
    driver.partner_call(Method::DELETE, &format!("/{gone}"), None).await;
    driver.cloud.stop_role("control-plane").await;
    for _ in 0..5 {
        driver.request(0, Method::POST, "/functions/nothing", &["function_calls"]).await;
        driver.request(0, Method::POST, "/api/usage/mcp", &["mcp_calls"]).await;
    }
    // What was counted a moment before is no record yet.
    let plane = driver.data_plane(0).expect("it runs");
    kill(Pid::from_raw(plane), Signal::SIGKILL).expect("it was running a moment ago");
    driver.cloud.start_role("worker");
    wait::until("the project stops", LIMIT, || async { driver.data_plane(0).is_none().then_some(()) }).await;
    assert!(driver.cloud.project_folders().contains(&gone), "its folder waits for the control plane");
    driver.cloud.start_role("control-plane");
    driver.cloud.wait_serving().await;
    driver.check_truth().await;
    wait::until("nothing is left of the project", LIMIT, || async {
        (!driver.cloud.project_folders().contains(&gone)).then_some(())
    })
    .await;
    driver.cloud.finish().await;
}
