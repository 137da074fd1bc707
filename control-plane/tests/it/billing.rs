//! Invoices and daily reports: parts that sum to their totals to the last micro-unit, for organizations and for partners.

use std::collections::BTreeMap;

use chrono::{Datelike as _, Duration, Months};
use model::{limits::Plan, organizations::Role, usage::Metric};
use serde_json::{Value, json};

use crate::harness::{App, INTERNAL_TOKEN, User};

fn rows<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("a whole number: {value}"))
}

/// Reports records of one source in the order given: project, metric, instance type, days ago, amount.
async fn report(app: &App, source: &str, records: &[(&str, &str, Option<&str>, i64, i64)]) {
    let cloud = app.admin.with_token(Some(INTERNAL_TOKEN));
    let records: Vec<Value> = (1..)
        .zip(records)
        .map(|(sequence, (project, metric, instance_type, ago, amount))| {
            let at = app.now() - Duration::days(*ago);
            json!({ "project_id": project, "metric": metric, "instance_type": instance_type, "from": at, "to": at, "amount": amount, "sequence": sequence })
        })
        .collect();
    cloud.post("/internal/v1/usage-records", json!({ "source": source, "records": records })).await.expect(200);
}

/// Moves to the middle of a month, so that days before lie in it.
fn mid_month(app: &App) {
    let middle = (app.now() + Months::new(1)).with_day(20).expect("a day");
    app.clock.advance(middle - app.now());
}

#[track_caller]
fn assert_sums(invoice: &Value) {
    let total: i64 = rows(invoice, "lines").iter().map(|line| number(&line["amount_micros"])).sum();
    assert_eq!(total, number(&invoice["total_micros"]), "{invoice:#}");
    for line in rows(invoice, "lines").iter().filter(|line| line["kind"] != "plan") {
        for field in ["amount_micros", "quantity"] {
            let shares: i64 = rows(line, "projects").iter().map(|share| number(&share[field])).sum();
            assert_eq!(shares, number(&line[field]), "{field} of {line:#}");
        }
    }
}

#[tokio::test]
async fn an_invoice_is_its_lines_and_a_line_its_projects() {
    let app = App::start().await;
    mid_month(&app);
    let user = app.user("payer", Plan::Pro).await;
    let parent = user.project("parent").await;
    let other = user.project("with, \"commas\"").await;
    let branch = user.branch(&parent, "b1").await;
    let gb = 1_000_000_000;
    let records = [
        (&*parent, "egress_bytes", None, 3, 100 * gb + 1),
        (&*other, "egress_bytes", None, 2, 100 * gb + 1),
        (&*branch, "egress_bytes", None, 1, 100 * gb + 1),
        (&*parent, "database_bytes", None, 5, 9 * gb),
        (&*other, "database_bytes", None, 4, 3 * gb),
        (&*parent, "database_bytes", None, 3, gb),
        (&*parent, "compute_seconds", Some("nano"), 1, 100_000),
        (&*branch, "compute_seconds", Some("nano"), 1, 3),
        (&*other, "compute_seconds", Some("16xl"), 1, 36_000),
        (&*other, "function_calls", None, 0, 99),
    ];
    report(&app, "gateway:1", &records).await;
    user.delete(&format!("/projects/v1/{other}")).await.expect(200);

    let path = format!("/billing/v1/{}/invoice-preview", user.organization);
    let invoice = user.get(&path).await.expect(200);
    assert_sums(&invoice);
    let line = |field: &str, value: &str| {
        rows(&invoice, "lines")
            .iter()
            .find(|line| line[field] == value)
            .unwrap_or_else(|| panic!("{value}: {invoice:#}"))
    };
    let egress = line("metric", "egress_bytes");
    assert_eq!((number(&egress["billable"]), number(&egress["amount_micros"])), (50 * gb + 3, 4_500_000));
    let on_branch = rows(egress, "projects").iter().find(|share| share["project_id"] == branch.as_str());
    assert_eq!(on_branch.expect("a branch has its share")["parent_project_id"], parent.as_str());
    let database = line("metric", "database_bytes");
    assert_eq!(number(&database["quantity"]), 12 * gb, "the largest sum of a day");
    assert_eq!(number(&database["amount_micros"]), 4 * 125_000);
    assert_eq!(number(&line("instance_type", "16xl")["amount_micros"]), 51_200_000);
    assert_eq!(number(&line("kind", "compute_credit")["amount_micros"]), -10_000_000);
    assert!(
        rows(egress, "projects").iter().any(|share| share["project_id"] == other.as_str()),
        "deleted, and it used it"
    );
    assert!(invoice["total_display"].as_str().is_some_and(|text| text.starts_with('$')));

    let csv = user.get(&format!("{path}?format=csv")).await;
    assert_eq!((csv.status, csv.header("content-type")), (200, Some("text/csv; charset=utf-8")));
    let total = csv.text.lines().last().expect("a last line");
    assert_eq!(total.rsplit(',').next(), Some(&*invoice["total_micros"].to_string()));
    assert!(csv.text.contains("\"with, \"\"commas\"\"\""), "{}", csv.text);
    let lean = user.get(&format!("{path}?by_project=false&cycle=current")).await.expect(200);
    assert_eq!((&lean["total_micros"], rows(&lean["lines"][1], "projects").len()), (&invoice["total_micros"], 0));
    let before = user.get(&format!("{path}?cycle=previous")).await.expect(200);
    assert_eq!(number(&before["total_micros"]), 25_000_000, "the plan, and nothing used");

    let member = app.user("member", Plan::Free).await;
    assert_eq!(member.get(&path).await.refusal().0, 404);
    app.join(&member, &user.organization, Role::Developer).await;
    assert_eq!(member.get(&path).await.refusal().0, 403);
    let prices = member.get("/billing/v1/plans").await.expect(200);
    assert_eq!(rows(&prices, "plans").len(), Plan::ALL.len());
}

#[tokio::test]
async fn a_cycle_is_billed_by_the_plan_at_its_end_and_stays_as_it_was() {
    let app = App::start().await;
    mid_month(&app);
    let user = app.user("payer", Plan::Pro).await;
    let path = format!("/billing/v1/{}/invoice-preview", user.organization);
    let quotas = format!("/organizations/v1/{}/quotas", user.organization);
    let bill = async |cycle: &str| {
        let invoice = user.get(&format!("{path}?cycle={cycle}")).await.expect(200);
        (invoice["plan"].as_str().expect("a plan").to_owned(), number(&invoice["total_micros"]))
    };
    let (starter, pro, team) = (("starter", 10_000_000), ("pro", 25_000_000), ("team", 599_000_000));
    let owned = |(plan, total): (&str, i64)| (plan.to_owned(), total);
    assert_eq!((bill("current").await, bill("previous").await), (owned(pro), owned(pro)));
    app.clock.advance(Duration::hours(1));
    app.admin.put(&quotas, json!({ "plan": "team" })).await.expect(200);
    assert_eq!(bill("current").await, owned(team), "one cycle, one plan: the last one");
    app.clock.advance(Duration::days(31));
    app.admin.put(&quotas, json!({ "plan": "starter" })).await.expect(200);
    assert_eq!((bill("current").await, bill("previous").await), (owned(starter), owned(team)));
}

/// For every day: what projects and `unattributed` sum to, and the total.
#[track_caller]
fn assert_conserved(report: &Value) -> BTreeMap<String, Value> {
    let mut totals = BTreeMap::new();
    let mut parts: BTreeMap<(String, &str), f64> = BTreeMap::new();
    let metrics: Vec<&str> = Metric::ALL.iter().map(|metric| metric.reported_as()).collect();
    for row in rows(report, "rows") {
        let day = row["usage_date"].as_str().expect("a date").to_owned();
        if row["kind"] == "total" {
            totals.insert(day, row.clone());
            continue;
        }
        for metric in &metrics {
            *parts.entry((day.clone(), metric)).or_insert(0.0) += row[metric].as_f64().expect("a number");
        }
    }
    for (day, total) in &totals {
        for metric in &metrics {
            let sum = parts.get(&(day.clone(), metric)).copied().unwrap_or(0.0);
            assert_eq!(Some(sum), total[metric].as_f64(), "{metric} on {day}");
        }
    }
    totals
}

#[tokio::test]
async fn every_day_of_a_partner_is_its_projects_and_what_is_nobodys() {
    let app = App::start().await;
    mid_month(&app);
    let input = json!({ "name": "Builder", "kind": "white-label", "plan": "pro" });
    let made = app.admin.post("/partners/v1", input).await.expect(201);
    let (id, secret) = (made["partner"]["id"].as_str().expect("an id"), made["secret"].as_str().expect("a secret"));
    let nobody = app.admin.with_token(None);
    let get = async |path: &str| {
        let headers = [("x-partnership-secret", secret)];
        nobody.send(http::Method::GET, &format!("/partnership/v1/{id}{path}"), &headers, None).await
    };
    let mut projects = Vec::new();
    for number in 0..3 {
        let body = json!({ "project_name": format!("p{number}") });
        let headers = [("x-partnership-secret", secret)];
        let path = format!("/partnership/v1/{id}/sync-embedded-project");
        let synced = nobody.send(http::Method::POST, &path, &headers, Some(&body)).await.expect(200);
        projects.push(synced["project"]["id"].as_str().expect("an id").to_owned());
    }
    let records = [
        (&*projects[0], "database_bytes", None, 6, 500),
        (&*projects[1], "database_bytes", None, 4, 70),
        (&*projects[0], "database_bytes", None, 2, 300),
        (&*projects[0], "requests", None, 2, 11),
        (&*projects[1], "requests", None, 2, 12),
        (&*projects[2], "requests", None, 1, 13),
        (&*projects[2], "ai_credits", None, 1, 250_000),
        (&*projects[2], "compute_seconds", Some("micro"), 1, 60),
        (&*projects[2], "compute_seconds", Some("small"), 1, 30),
    ];
    report(&app, "gateway:1", &records).await;
    nobody
        .send(
            http::Method::DELETE,
            &format!("/partnership/v1/{id}/{}", projects[2]),
            &[("x-partnership-secret", secret)],
            None,
        )
        .await
        .expect(200);

    let daily = get("/usage/daily").await.expect(200);
    let totals = assert_conserved(&daily);
    assert_eq!(totals.len(), 8);
    let day = |ago| &totals[&(app.now() - Duration::days(ago)).date_naive().to_string()];
    assert_eq!([6, 5, 4, 3, 2, 1].map(|ago| number(&day(ago)["database_bytes"])), [500, 500, 570, 570, 570, 370]);
    assert_eq!((number(&day(2)["requests"]), number(&day(1)["ec2_compute"])), (23, 90));
    assert!(
        rows(&daily, "rows").iter().any(|row| row["project_id"] == projects[2].as_str()),
        "deleted, and it used it"
    );

    let csv = get("/usage/daily?format=csv").await;
    assert_eq!(csv.text.lines().count(), rows(&daily, "rows").len() + 1);
    assert_sums(&get("/invoice-preview?by_project=true").await.expect(200));
    let invoice = get("/invoice-preview").await.expect(200);
    assert!(rows(&invoice, "lines").iter().all(|line| rows(line, "projects").is_empty()));

    // Whatever a total has beyond its projects is shown as nobody's.
    sqlx::query("update usage_totals set amount = amount + 5 where metric = 'requests'")
        .execute(&app.pool)
        .await
        .expect("changes");
    let daily = get("/usage/daily").await.expect(200);
    assert_conserved(&daily);
    let unattributed: i64 = rows(&daily, "rows")
        .iter()
        .filter(|row| row["kind"] == "unattributed")
        .map(|row| number(&row["requests"]))
        .sum();
    assert!(unattributed >= 10, "{daily:#}");
    let invoice = get("/invoice-preview?by_project=true").await.expect(200);
    assert_sums(&invoice);
}

#[tokio::test]
async fn payments_are_none_and_whoever_wants_to_pay_is_told_whom_to_ask() {
    let app = App::start().await;
    let ada = app.user("ada", Plan::Free).await;
    let history = ada.get(&format!("/organizations/v1/{}/payment-history", ada.organization)).await.expect(200);
    assert_eq!(history, json!({ "payments": [] }));
    let credits = ada.get(&format!("/billing/v1/{}/credits", ada.organization)).await.expect(200);
    assert_eq!(credits, json!({ "creditBalanceCents": 0, "creditBalanceFormatted": "$0.00", "transactions": [] }));
    let checkout = async |user: &User, plan: &str| {
        let wanted = json!({ "organizationId": ada.organization, "plan": plan });
        user.post("/billing/v1/stripe/checkout-session", wanted).await
    };
    assert_eq!(checkout(&ada, "pro").await.refusal(), (409, "billing.no_payments"));
    assert_eq!(checkout(&ada, "free").await.refusal(), (409, "billing.plan_unchanged"));
    assert_eq!(checkout(&ada, "gold").await.refusal(), (400, "request.invalid"));
    let portal = json!({ "organizationId": ada.organization });
    assert_eq!(
        ada.post("/billing/v1/stripe/portal-session", portal.clone()).await.refusal(),
        (409, "billing.no_payments")
    );
    let dev = app.user("dev", Plan::Free).await;
    assert_eq!(checkout(&dev, "pro").await.refusal(), (404, "organization.not_found"));
    app.join(&dev, &ada.organization, Role::Developer).await;
    assert_eq!(checkout(&dev, "pro").await.refusal(), (403, "auth.forbidden"));
    assert_eq!(dev.post("/billing/v1/stripe/portal-session", portal).await.refusal(), (403, "auth.forbidden"));
}
