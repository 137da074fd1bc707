//! Metering and reports: how fresh, how fast, and at what cost, with as many projects and days as are asked for.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use reqwest::Client;
use serde_json::{Value, json};
use tests::{Cloud, DataPlane, api::http_client, postgres};

use crate::{
    Settings,
    report::{Report, percentile},
    tools::run,
};

/// Records in one delivery.
const BATCH: usize = 1000;
/// Deliveries at once, each of a source of its own.
const SOURCES: usize = 2;
/// Projects of the partner whose lists are measured.
const PARTNER_PROJECTS: usize = 30_000;

pub(crate) async fn measure(settings: &Settings, report: &mut Report) {
    let cloud = Cloud::start().await;
    let bench = Bench::start(&cloud);
    let own = bench.own_project().await;
    let idle = freshness(&cloud, settings, report).await;
    let before = bench.records_of(&idle);
    bench.fill(settings.projects);
    ingest(&bench, settings, report).await;
    reports(&bench, &own, settings, report).await;
    print_plans(&bench, &own).await;
    strangers(&bench, report).await;
    reads(&bench, settings, report).await;
    cost(&bench, &idle, before, report);
    cloud.finish().await;
}

struct Bench<'a> {
    cloud: &'a Cloud,
    http: Client,
    /// One with a share of all projects, one with its own thirty thousand.
    partners: [(String, String); 2],
}

impl<'a> Bench<'a> {
    fn start(cloud: &'a Cloud) -> Self {
        let partner = |name: &str| {
            let arguments = ["partner", "create", "--name", name, "--kind", "white-label", "--json"];
            let text = run(&mut cloud.command(&arguments));
            let made: Value = serde_json::from_str(&text).expect("it is JSON");
            let field = |name: &str| made[name].as_str().expect("text").to_owned();
            (field("id"), field("secret"))
        };
        Self { cloud, http: http_client(None), partners: [partner("Everything"), partner("Thirty thousand")] }
    }

    /// A project of the second partner that has all a project has.
    async fn own_project(&self) -> String {
        let (id, secret) = &self.partners[1];
        let url = format!("{}/partnership/v1/{id}/sync-embedded-project", self.cloud.announcement().api_url);
        let request =
            self.http.post(url).header("x-partnership-secret", secret).json(&json!({ "project_name": "Own" }));
        let made: Value = request.send().await.expect("answers").json().await.expect("JSON");
        made["project"]["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
    }

    /// How many records a project's data plane has made, and when that is.
    fn records_of(&self, project: &str) -> (Instant, i64) {
        let count = self.sql(&format!("select count(*) from usage_records where source like 'data-plane:{project}%'"));
        (Instant::now(), count.parse().expect("a number"))
    }

    /// A statement against the control database, and what it says.
    fn sql(&self, statement: &str) -> String {
        let mut command = Command::new(postgres::program("psql").expect("Postgres is installed with its programs"));
        command.arg("-h").arg(self.cloud.home().join("control/run"));
        command.args(["-U", "hearth", "-d", "hearth", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", statement]);
        run(&mut command).trim().to_owned()
    }

    /// Projects with a month of usage: a hundred to an organization, all of them the first partner's, and the second one's own.
    fn fill(&self, projects: usize) {
        let [everything, own] =
            [0, 1].map(|index| format!("(select id from partners order by created_at, id offset {index} limit 1)"));
        let organization = self.cloud.organization();
        self.sql(&format!(
            "insert into organizations (id, name, type, plan)
                 select md5('organization' || n)::uuid, 'Organization ' || n, 'team', 'pro' from generate_series(0, {projects} / 100) n;
             insert into projects (id, organization_id, partner_id, name, app_key, region, instance_type, service_version, observed, intent, created_at)
                 select md5('project' || n)::uuid,
                        case when n <= 100 then '{organization}'::uuid
                             when n <= 100 + {PARTNER_PROJECTS} then (select organization_id from partners where id = {own})
                             else md5('organization' || n / 100)::uuid end,
                        case when n > 100 and n <= 100 + {PARTNER_PROJECTS} then {own} else {everything} end,
                        'Project ' || n, 'b' || lpad(to_hex(n), 7, '0'), 'us-east', 'nano', '2.3.1', 'serving', 'paused', now() - n * interval '1 second'
                 from generate_series(1, {projects}) n;"
        ));
        // What a project of no great use leaves: requests each day, and a size that changes now and then. A table without a key takes it, and
        // takes the place of the table once it has the same keys: nobody waits for that long.
        self.sql(&format!(
            "create table usage_days_filled (like usage_days including defaults including constraints);
             insert into usage_days_filled (project_id, metric, day, amount)
                 select md5('project' || n)::uuid, 'requests', current_date - d, n % 1000 + d
                 from generate_series(0, 30) d, generate_series(1, {projects}) n;
             insert into usage_days_filled (project_id, metric, day, amount, last_amount, last_at)
                 select md5('project' || n)::uuid, 'database_bytes', current_date - n % 31, 8000000 + n, 8000000 + n, now()
                 from generate_series(1, {projects}) n;
             set maintenance_work_mem = '512MB';
             alter table usage_days_filled add constraint usage_days_filled_pkey primary key (project_id, metric, day, instance_type);
             create index usage_days_filled_day_idx on usage_days_filled using brin (day);"
        ));
        self.sql(
            "lock table usage_days;
             insert into usage_days_filled select * from usage_days;
             drop table usage_days;
             alter table usage_days_filled rename to usage_days;
             alter table usage_days rename constraint usage_days_filled_pkey to usage_days_pkey;
             alter index usage_days_filled_day_idx rename to usage_days_day_idx;",
        );
        // Enough memory that neither the join nor the groups go to disk.
        self.sql(
            "set work_mem = '1GB';
             insert into usage_totals (scope, metric, day, shard, amount, step)
                 select s.scope, d.metric, d.day, abs(hashtext(d.project_id::text) % 16), sum(d.amount), sum(coalesce(d.last_amount, 0))
                 from usage_days d join projects p on p.id = d.project_id
                 cross join lateral (values (p.organization_id), (p.partner_id)) as s (scope)
                 where d.amount > 0 and p.name like 'Project %' group by 1, 2, 3, 4
                 on conflict do nothing",
        );
        self.sql("vacuum analyze");
        self.sql("checkpoint");
        eprintln!("the control database has {} bytes", self.sql("select pg_database_size('hearth')"));
    }

    /// Ends the control plane's sessions; it opens others, which begin with the settings of now.
    fn reconnect(&self) {
        self.sql("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'hearth' and pid <> pg_backend_pid()");
    }

    async fn timed(&self, request: reqwest::RequestBuilder) -> Duration {
        let begun = Instant::now();
        let response = request.send().await.expect("the control plane answers");
        let status = response.status();
        let text = response.text().await.expect("a body");
        assert!(status.is_success(), "{status} {text}");
        begun.elapsed()
    }

    fn as_partner(&self, index: usize, path: &str) -> reqwest::RequestBuilder {
        let (id, secret) = &self.partners[index];
        let url = format!("{}/partnership/v1/{id}{path}", self.cloud.announcement().api_url);
        self.http.get(url).header("x-partnership-secret", secret)
    }

    fn as_user(&self, path: &str) -> reqwest::RequestBuilder {
        let announcement = self.cloud.announcement();
        self.http.get(format!("{}{path}", announcement.api_url)).bearer_auth(&announcement.admin.user_api_key)
    }
}

/// From a request's answer through the gateway to its place in the report.
async fn freshness(cloud: &Cloud, settings: &Settings, report: &mut Report) -> String {
    let api = cloud.api();
    let project = api.new_project(cloud.organization(), "Fresh").await;
    let data_plane = DataPlane::through_gateway(cloud, &project.appkey, &project.region);
    let requests = async || {
        let usage = api.usage(cloud.organization()).await;
        let row =
            usage["projects"].as_array().and_then(|rows| rows.iter().find(|row| row["id"] == project.id.as_str()));
        row.and_then(|row| row["requests"].as_i64()).unwrap_or(0)
    };
    let mut times = Vec::new();
    for number in 0..settings.runs.max(20) {
        // Not in step with the flush.
        tokio::time::sleep(Duration::from_millis(137 * (number as u64 % 9) + 1100)).await;
        let before = requests().await;
        assert!(data_plane.healthy().await);
        let begun = Instant::now();
        while requests().await <= before {
            assert!(begun.elapsed() < Duration::from_secs(60), "it is never reported");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        times.push(begun.elapsed());
    }
    let (median, worst) = (percentile(&times, 50), percentile(&times, 99));
    let measured = format!("p50 {median} ms, p99 {worst} ms, n={}", times.len());
    report.add("usage, request to report", measured, "p99 ≤ 5 s", Some(worst <= 5000));
    project.id
}

/// Records of thousands of projects, as gateways deliver them, beside everything else that runs here.
async fn ingest(bench: &Bench<'_>, settings: &Settings, report: &mut Report) {
    let token = std::fs::read_to_string(bench.cloud.home().join("internal.token")).expect("a cloud has a token");
    let ids: Vec<String> = bench
        .sql(&format!("select id from projects where name like 'Project %' limit {}", 5000))
        .lines()
        .map(str::to_owned)
        .collect();
    let url = format!("{}/internal/v1/usage-records", bench.cloud.announcement().api_url);
    let limit = Duration::from_secs(u64::from(settings.seconds));
    let begun = Instant::now();
    let sources = (0..SOURCES).map(|source| {
        let (http, url, token, ids) = (bench.http.clone(), &url, token.trim(), &ids);
        async move {
            let (mut sequence, mut stored) = (1, 0);
            while begun.elapsed() < limit {
                let at = chrono::Utc::now();
                let records: Vec<Value> = (0..BATCH)
                    .map(|index| {
                        let metric = ["requests", "egress_bytes", "requests", "egress_bytes", "database_bytes"][index % 5];
                        let project = &ids[(sequence * 7 + index / 2 + source * 1009) % ids.len()];
                        json!({ "project_id": project, "metric": metric, "from": at, "to": at, "amount": index + 1, "sequence": sequence + index })
                    })
                    .collect();
                let body = json!({ "source": format!("bench:{source}"), "records": records });
                let response = http.post(url).bearer_auth(token).json(&body).send().await.expect("answers");
                assert!(response.status().is_success(), "{}", response.text().await.unwrap_or_default());
                sequence += BATCH;
                stored += BATCH;
            }
            stored
        }
    });
    let stored: usize = futures::future::join_all(sources).await.into_iter().sum();
    let rate = stored as f64 / begun.elapsed().as_secs_f64();
    report.add("usage records taken in", format!("{rate:.0} records/s"), "≥ 10000 records/s", Some(rate >= 10_000.0));
}

/// Makes a request.
type Ask<'a> = Box<dyn Fn() -> reqwest::RequestBuilder + 'a>;

/// Prints the plans with which Postgres answers each report, as its `auto_explain` tells them.
async fn print_plans(bench: &Bench<'_>, own: &str) {
    let settings = [
        ("session_preload_libraries", "auto_explain"),
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_analyze", "on"),
        ("auto_explain.log_buffers", "on"),
    ];
    for (name, value) in settings {
        bench.sql(&format!("alter database hearth set {name} = '{value}'"));
    }
    bench.reconnect();
    let log = bench.cloud.home().join("control/logs/postgres.log");
    for (what, .., request) in cases(bench, own) {
        let begin = std::fs::metadata(&log).expect("the control database has a log").len();
        bench.timed(request()).await;
        let text = std::fs::read(&log).expect("the log can be read");
        let text = String::from_utf8_lossy(&text[usize::try_from(begin).expect("small")..]).into_owned();
        println!("\n== {what} ==");
        // An entry's further lines are indented.
        let mut shown = false;
        for line in text.lines() {
            let first = !line.starts_with('\t');
            shown = if first { line.contains(" plan:") } else { shown };
            if shown {
                println!("{}", line.split_once("LOG:  ").map_or(line, |(_, rest)| rest));
            }
        }
    }
    bench.sql("alter database hearth reset all");
    bench.reconnect();
}

type Case<'a> = (&'static str, usize, u128, Ask<'a>);

/// Each report with how often it is asked for and how many milliseconds it may take.
fn cases<'a>(bench: &'a Bench<'_>, own: &'a str) -> [Case<'a>; 7] {
    let month = format!("?start_date={}", (chrono::Utc::now() - chrono::Duration::days(30)).date_naive());
    let organization = bench.cloud.organization();
    let of_partner = format!("/usage{month}");
    let of_other = of_partner.clone();
    [
        ("partner total", 50, 200, Box::new(move || bench.as_partner(0, &of_partner))),
        ("partner invoice preview", 50, 200, Box::new(|| bench.as_partner(0, "/invoice-preview"))),
        (
            "organization usage, 100 projects",
            50,
            50,
            Box::new(move || bench.as_user(&format!("/usage/v1/organizations/{organization}"))),
        ),
        (
            "invoice preview, 100 projects",
            50,
            200,
            Box::new(move || bench.as_user(&format!("/billing/v1/{organization}/invoice-preview"))),
        ),
        ("30,000 in one partner: list", 200, 100, Box::new(|| bench.as_partner(1, "/projects?limit=100"))),
        (
            "30,000 in one partner: metadata",
            200,
            100,
            Box::new(move || bench.as_partner(1, &format!("/{own}/metadata"))),
        ),
        ("30,000 in one partner: total", 200, 100, Box::new(move || bench.as_partner(1, &of_other))),
    ]
}

/// Reports over the whole month.
async fn reports(bench: &Bench<'_>, own: &str, settings: &Settings, report: &mut Report) {
    let projects = settings.projects;
    for (what, runs, limit, request) in &cases(bench, own) {
        let mut times = Vec::new();
        bench.timed(request()).await;
        for _ in 0..*runs {
            times.push(bench.timed(request()).await);
        }
        let (median, worst) = (percentile(&times, 50), percentile(&times, 99));
        let measured = format!("p50 {median} ms, p99 {worst} ms, n={runs}");
        report.add(
            format!("{what}, of {projects} × 31 days"),
            measured,
            format!("p99 ≤ {limit} ms"),
            Some(worst <= *limit),
        );
    }
}

/// Whether the time of an answer tells what is another partner's from what is not there: asked in turns, so that both see the same machine.
async fn strangers(bench: &Bench<'_>, report: &mut Report) {
    const TURNS: usize = 1000;
    let everything = "(select id from partners order by created_at, id limit 1)";
    let foreign = bench.sql(&format!(
        "select id from projects where name like 'Project %' and partner_id = {everything} limit {TURNS}"
    ));
    let absent = (0..TURNS).map(|number| format!("00000000-0000-4000-8000-{number:012x}"));
    let (mut theirs, mut nobodys) = (Vec::new(), Vec::new());
    for (foreign, absent) in foreign.lines().zip(absent) {
        for (id, times) in [(foreign, &mut theirs), (&absent, &mut nobodys)] {
            let request = bench.as_partner(1, &format!("/{id}/metadata"));
            let begun = Instant::now();
            let response = request.send().await.expect("the control plane answers");
            assert_eq!(response.status(), 404);
            let _body = response.bytes().await.expect("a body");
            times.push(begun.elapsed());
        }
    }
    let tell = |times: &mut Vec<Duration>| {
        times.sort();
        let at = |percent: usize| times.get(times.len() * percent / 100).map_or(0, Duration::as_micros);
        (at(50), format!("p10 {}, p50 {}, p90 {} µs", at(10), at(50), at(90)), at(90) - at(10))
    };
    let ((theirs, of_theirs, spread), (nobodys, of_nobodys, _)) = (tell(&mut theirs), tell(&mut nobodys));
    let apart = theirs.abs_diff(nobodys);
    report.add(
        format!("404 of another partner's project, {TURNS} each"),
        format!("{of_theirs}; of none: {of_nobodys}"),
        "medians apart ≤ a tenth of p10 to p90",
        Some(apart * 10 <= spread),
    );
}

/// Reads of single projects at a steady rate.
async fn reads(bench: &Bench<'_>, settings: &Settings, report: &mut Report) {
    const RATE: u32 = 500;
    let ids: Vec<String> = bench
        .sql("select id from projects where name like 'Project %' and random() < 0.01 limit 2000")
        .lines()
        .map(str::to_owned)
        .collect();
    let begun = tokio::time::Instant::now();
    let mut open = Vec::new();
    for number in 0..RATE * settings.seconds {
        tokio::time::sleep_until(begun + Duration::from_secs(1) * number / RATE).await;
        let request = bench.as_user(&format!("/projects/v1/{}", ids[number as usize % ids.len()]));
        open.push(tokio::spawn(async move {
            let begun = Instant::now();
            let response = request.send().await.expect("the control plane answers");
            assert!(response.status().is_success(), "{}", response.status());
            let _body = response.bytes().await.expect("a body");
            begun.elapsed()
        }));
    }
    let mut times = Vec::new();
    for one in open {
        times.push(one.await.expect("it does not panic"));
    }
    let (median, worst) = (percentile(&times, 50), percentile(&times, 99));
    let what = format!("control-plane read at {RATE}/s, {} projects", settings.projects);
    report.add(what, format!("p50 {median} ms, p99 {worst} ms, n={}", times.len()), "p99 ≤ 50 ms", Some(worst <= 50));
}

/// What the bookkeeping takes: of a project that is awake and that nobody uses, and of whatever is recorded.
fn cost(bench: &Bench<'_>, idle: &str, before: (Instant, i64), report: &mut Report) {
    let row = bench.sql("select pg_total_relation_size('usage_days') / count(*) from usage_days");
    let record = bench.sql(
        "select sum(pg_total_relation_size(c.oid))::bigint / greatest((select count(*) from usage_records), 1)
         from pg_class c where c.relname like 'usage_records_2%' and c.relkind = 'r'",
    );
    let after = bench.records_of(idle);
    let days = (after.0 - before.0).as_secs_f64() / 86_400.0;
    let records = (after.1 - before.1) as f64 / days;
    let rows =
        bench.sql(&format!("select count(*) from usage_days where project_id = '{idle}' and day = current_date"));
    let bytes: f64 = records * record.parse::<f64>().unwrap_or(0.0)
        + rows.parse::<f64>().unwrap_or(0.0) * row.parse::<f64>().unwrap_or(0.0);
    report.add(
        "usage of an idle awake project per day",
        format!("{records:.0} records of {record} bytes, {rows} days of {row} bytes: {:.0} kB", bytes / 1000.0),
        "",
        None,
    );
}
