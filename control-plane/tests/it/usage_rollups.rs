//! Days are a pure function of the log: whatever the order, the delay and the repetition in which records come, and made again from nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Duration, Months, Utc};
use ids::ProjectId;
use model::{
    instances::InstanceType,
    usage::{Counted, DayAmount, Metric, Period, Sample, roll_up},
};
use serde_json::{Value, json};

use crate::harness::{App, INTERNAL_TOKEN, User};

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }
}

/// What happened: which of the projects, what, when, how much.
#[derive(Clone, Copy)]
struct Happened {
    project: usize,
    metric: Metric,
    instance_type: Option<InstanceType>,
    at: DateTime<Utc>,
    amount: i64,
}

const PROJECTS: usize = 3;
const SOURCES: usize = 4;

/// Six days with a turn of the month in them, told by four sources.
fn story(first: DateTime<Utc>) -> Vec<Vec<Happened>> {
    let mut random = Random(7);
    let mut one = |_| {
        let metric = Metric::ALL[random.below(Metric::ALL.len())];
        let instance_type = (metric == Metric::ComputeSeconds).then(|| InstanceType::ALL[random.below(3)]);
        let at = first + Duration::seconds(i64::try_from(random.below(6 * 86_400)).expect("small"));
        let amount = i64::try_from(random.below(1000)).expect("small");
        Happened { project: random.below(PROJECTS), metric, instance_type, at, amount }
    };
    (0..SOURCES).map(|_| (0..50).map(&mut one).collect()).collect()
}

fn expected(story: &[Vec<Happened>]) -> Vec<BTreeMap<Counted, DayAmount>> {
    let of_project = |project| {
        roll_up(story.iter().flatten().filter(|one| one.project == project).map(|one| {
            let Happened { metric, instance_type, at, amount, .. } = *one;
            Sample { counted: Counted { day: at.date_naive(), metric, instance_type }, to: at, amount }
        }))
    };
    (0..PROJECTS).map(of_project).collect()
}

/// Sends the records of all sources, each in its sequence, in batches of any size, some of them again, while time goes on.
async fn tell(app: &App, random: &mut Random, name: &str, story: &[Vec<Happened>], projects: &[String]) {
    let cloud = app.admin.with_token(Some(INTERNAL_TOKEN));
    let mut told = [0; SOURCES];
    while (0..SOURCES).any(|source| told[source] < story[source].len()) {
        let source = random.below(SOURCES);
        // From somewhere before what is known, or from there on.
        let from = told[source] - random.below(told[source].min(5) + 1);
        let to = (from + 1 + random.below(20)).min(story[source].len());
        let records: Vec<Value> = (from..to).map(|index| record(index, &story[source][index], projects)).collect();
        let body = json!({ "source": format!("{name}:{source}"), "records": records });
        let reply = cloud.post("/internal/v1/usage-records", body).await.expect(200);
        told[source] = told[source].max(to);
        assert_eq!(reply["sequence"], told[source]);
        app.clock.advance(Duration::seconds(i64::try_from(random.below(60)).expect("small")));
    }
}

fn record(index: usize, one: &Happened, projects: &[String]) -> Value {
    let mut record = json!({
        "project_id": projects[one.project], "metric": one.metric, "from": one.at, "to": one.at, "amount": one.amount, "sequence": index + 1,
    });
    if let Some(instance_type) = one.instance_type {
        record["instance_type"] = json!(instance_type);
    }
    record
}

async fn days(app: &App, projects: &[String], period: Period) -> Vec<BTreeMap<Counted, DayAmount>> {
    let mut conn = app.pool.acquire().await.expect("a connection");
    let mut all = Vec::new();
    for project in projects {
        let id: ProjectId = project.parse().expect("an id");
        let days = store::usage_days::of_projects(&mut conn, &[id], period).await.expect("reads");
        all.push(days.into_iter().map(|day| (day.counted, DayAmount { amount: day.amount, last: day.last })).collect());
    }
    all
}

/// Every byte of days and totals. A row of totals that says nothing may be there or not.
async fn dump(app: &App) -> (Vec<String>, Vec<String>) {
    let rows = async |sql: &str| sqlx::query_scalar::<_, String>(sql).fetch_all(&app.pool).await.expect("reads");
    (
        rows("select d::text from usage_days d order by project_id, metric, day, instance_type").await,
        rows("select t::text from usage_totals t where amount <> 0 or step <> 0 order by scope, metric, day, instance_type, shard")
            .await,
    )
}

async fn rebuild(app: &App, period: Period) -> store::usage_rebuild::Rebuilt {
    let mut tx = app.pool.begin().await.expect("a transaction");
    let rebuilt = store::usage_rebuild::rebuild(&mut tx, period).await.expect("rebuilds");
    tx.commit().await.expect("commits");
    rebuilt
}

fn month_of(at: DateTime<Utc>) -> Period {
    model::usage::current_period(at)
}

#[tokio::test]
async fn any_order_delay_and_repetition_gives_the_same_days_and_so_does_a_rebuild() {
    let app = App::start().await;
    let turn = app.now().with_day(1).expect("a day") + Months::new(2);
    let first = turn.date_naive().and_hms_opt(0, 0, 0).expect("a time").and_utc() - Duration::days(3);
    app.clock.advance(first + Duration::days(6) - app.now());
    let story = story(first);
    let expected = expected(&story);
    let period = Period { start: first.date_naive(), end: app.now().date_naive() };
    for round in 0..5_u64 {
        let mut projects = Vec::new();
        let user = app.user(&format!("u{round}"), model::limits::Plan::Pro).await;
        for number in 0..PROJECTS {
            projects.push(user.project(&format!("project {number}")).await);
        }
        tell(&app, &mut Random(round), &format!("gateway:{round}"), &story, &projects).await;
        assert_eq!(days(&app, &projects, period).await, expected, "round {round}");
    }

    let before = dump(&app).await;
    let (left, right) = (month_of(first), month_of(app.now()));
    assert_ne!(left, right);
    for month in [left, right] {
        let rebuilt = rebuild(&app, month).await;
        assert!(rebuilt.days > 0 && (rebuilt.removed, rebuilt.added) == (0, 0), "nothing was wrong: {rebuilt:?}");
    }
    assert_eq!(dump(&app).await, before);

    for damage in [
        "delete from usage_days",
        "update usage_days set amount = amount + 1 where metric in ('requests', 'database_bytes')",
        "update usage_days set last_amount = last_amount + 1",
        "insert into usage_days (project_id, metric, day, amount) select gen_random_uuid(), 'requests', day, 1 from usage_days limit 5",
        "update usage_totals set amount = amount + 3, step = step - 2",
        "delete from usage_totals",
    ] {
        sqlx::query(damage).execute(&app.pool).await.expect("damages");
        assert_ne!(dump(&app).await, before, "{damage}");
        for month in [left, right] {
            rebuild(&app, month).await;
        }
        assert_eq!(dump(&app).await, before, "after {damage}");
    }
}

async fn send(cloud: &User, source: &str, project: &str, first: i64, records: &[(DateTime<Utc>, i64)]) -> Value {
    let records: Vec<Value> = (first..)
        .zip(records)
        .map(|(sequence, (at, amount))| {
            json!({ "project_id": project, "metric": "requests", "from": at, "to": at, "amount": amount, "sequence": sequence })
        })
        .collect();
    cloud.post("/internal/v1/usage-records", json!({ "source": source, "records": records })).await.expect(200)
}

#[tokio::test]
async fn a_week_late_counts_on_its_day_and_later_is_told_apart() {
    let app = App::start().await;
    let cloud = app.admin.with_token(Some(INTERNAL_TOKEN));
    // So late in a month that a week before lies in it too.
    let today = (app.now() + Months::new(1)).with_day(20).expect("a day");
    app.clock.advance(today - app.now());
    let project = app.admin.project("late").await;
    let ago = |days| today - Duration::days(days);
    let records = [(ago(7), 10), (ago(8), 200), (ago(9), 100), (ago(0), 1)];
    let known = send(&cloud, "gateway:1", &project, 1, &records).await;
    assert_eq!(known["sequence"], 4, "its source may forget a late record");
    send(&cloud, "gateway:1", &project, 1, &records).await;

    let report = app.admin.get(&format!("/usage/v1/organizations/{}", app.admin.organization)).await.expect(200);
    assert_eq!(report["usage_summary"]["requests"], 11);
    assert_eq!(report["late"], json!({ "requests": 300 }));
    assert_eq!(app.count("usage_late_records").await, 2);
    let day = ago(7).date_naive();
    let path = format!("/usage/v1/organizations/{}/daily?start_date={day}&end_date={day}", app.admin.organization);
    let daily = app.admin.get(&path).await.expect(200);
    let total = daily["rows"].as_array().expect("a list").iter().find(|row| row["kind"] == "total").expect("a total");
    assert_eq!(total["requests"], 10);
}

#[tokio::test]
async fn what_a_wrong_clock_dates_in_the_future_counts_on_the_day_it_comes() {
    let app = App::start().await;
    let cloud = app.admin.with_token(Some(INTERNAL_TOKEN));
    let project = app.admin.project("ahead").await;
    send(&cloud, "gateway:1", &project, 1, &[(app.now() + Duration::days(400), 5), (app.now(), 2)]).await;
    let today = Period { start: app.now().date_naive(), end: app.now().date_naive() };
    let days = days(&app, &[project], today).await;
    assert_eq!(days[0].values().map(|day| day.amount).sum::<i64>(), 7);
    assert_eq!(app.count("usage_days").await, 1);
}
