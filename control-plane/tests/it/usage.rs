//! Usage: records in, roll-ups and reports out; nothing lost, nothing doubled.

use chrono::{DateTime, Duration, Utc};
use ids::ProjectId;
use model::usage::Metric;
use serde_json::{Value, json};
use store::project_secrets;

use crate::harness::{App, INTERNAL_TOKEN, Reply, User};

fn record(project: &str, sequence: i64, metric: &str, from: DateTime<Utc>, amount: i64) -> Value {
    let to = from + Duration::seconds(1);
    json!({ "project_id": project, "metric": metric, "from": from, "to": to, "amount": amount, "sequence": sequence })
}

async fn send(cloud: &User, source: &str, records: Vec<Value>) -> Reply {
    cloud.post("/internal/v1/usage-records", json!({ "source": source, "records": records })).await
}

#[tokio::test]
async fn what_is_reported_is_seen_at_once_and_adds_up() {
    let app = App::start().await;
    let cloud = app.admin.with_token(Some(INTERNAL_TOKEN));
    let (one, two) = (app.admin.project("one").await, app.admin.project("two").await);
    let now = app.now();
    let records = vec![
        record(&one, 1, "egress_bytes", now, 100),
        record(&one, 2, "egress_bytes", now, 50),
        record(&two, 3, "egress_bytes", now, 7),
        record(&one, 4, "database_bytes", now, 9000),
        record(&one, 5, "database_bytes", now + Duration::seconds(2), 8000),
        record(&two, 6, "requests", now, 3),
    ];
    assert_eq!(send(&cloud, "gateway:1", records.clone()).await.expect(200)["sequence"], 6);
    assert_eq!(send(&cloud, "gateway:1", records).await.expect(200)["sequence"], 6, "a replay changes nothing");

    let path = format!("/usage/v1/organizations/{}", app.admin.organization);
    let report = app.admin.get(&path).await.expect(200);
    assert_eq!(report["organization"]["price_plan"], "team");
    assert_eq!(report["usage_summary"]["egress_bytes"], 157);
    assert_eq!(report["usage_summary"]["database_bytes"], 8000, "a size is the present one");
    assert_eq!(report["usage_summary"]["function_calls"], 0);
    for metric in Metric::ALL.iter().map(|metric| metric.reported_as()) {
        let parts = report["projects"].as_array().expect("a list").iter().chain([&report["unattributed"]]);
        let sum: f64 = parts.filter_map(|row| row[metric].as_f64()).sum();
        assert_eq!(report["usage_summary"][metric].as_f64(), Some(sum), "{metric}");
    }
    assert_eq!((&report["unattributed"]["egress_bytes"], &report["late"]), (&json!(0), &json!({})));

    app.admin.delete(&format!("/projects/v1/{one}")).await.expect(200);
    let later = app.admin.get(&path).await.expect(200);
    assert_eq!(later["usage_summary"]["egress_bytes"], 157, "what a deleted project used was used");
    assert_eq!(later["usage_summary"]["database_bytes"], 0, "but it holds nothing any more");
}

#[tokio::test]
async fn a_size_from_the_future_gives_way_to_the_next() {
    let app = App::start().await;
    let cloud = app.admin.with_token(Some(INTERNAL_TOKEN));
    let project = app.admin.project("ahead").await;
    let ahead = record(&project, 1, "database_bytes", app.now() + Duration::days(400), 9000);
    send(&cloud, "gateway:1", vec![ahead]).await.expect(200);
    app.clock.advance(Duration::seconds(1));
    send(&cloud, "gateway:1", vec![record(&project, 2, "database_bytes", app.now(), 8000)]).await.expect(200);
    let report = app.admin.get(&format!("/usage/v1/organizations/{}", app.admin.organization)).await.expect(200);
    assert_eq!(report["usage_summary"]["database_bytes"], 8000);
}

#[tokio::test]
async fn compute_is_told_by_instance_type_and_branches_are_their_parents_organizations() {
    let app = App::start().await;
    let cloud = app.admin.with_token(Some(INTERNAL_TOKEN));
    let parent = app.admin.project("parent").await;
    let branch = app.admin.branch(&parent, "b1").await;
    let compute = |project: &str, sequence, instance_type: &str, seconds| {
        let mut one = record(project, sequence, "compute_seconds", app.now(), seconds);
        one["instance_type"] = json!(instance_type);
        one
    };
    // Resized in between.
    let records = vec![
        compute(&parent, 1, "nano", 60),
        compute(&parent, 2, "large", 40),
        compute(&branch, 3, "nano", 7),
        record(&parent, 4, "monthly_active_users", app.now(), 3),
        record(&parent, 5, "ai_tokens", app.now(), 900),
        record(&parent, 6, "ai_credits", app.now(), 1_250_000),
    ];
    send(&cloud, "gateway:1", records).await.expect(200);
    let report = app.admin.get(&format!("/usage/v1/organizations/{}", app.admin.organization)).await.expect(200);
    assert_eq!(report["ec2_compute_by_instance_type"], json!({ "nano": 67, "large": 40 }));
    let summary = &report["usage_summary"];
    assert_eq!((&summary["ec2_compute"], &summary["monthly_active_users"]), (&json!(107), &json!(3)));
    assert_eq!((&summary["ai_tokens"], &summary["ai_credits"]), (&json!(900), &json!(1.25)));
    let row = report["projects"].as_array().expect("a list").iter().find(|row| row["id"] == branch.as_str());
    let row = row.expect("a branch is shown apart");
    assert_eq!((&row["parent_project_id"], &row["ec2_compute"]), (&json!(parent), &json!(7)));
    for (what, one) in [
        ("an unknown type", compute(&parent, 7, "huge", 1)),
        ("requests of an instance", {
            let mut one = record(&parent, 7, "requests", app.now(), 1);
            one["instance_type"] = json!("nano");
            one
        }),
    ] {
        assert_eq!(send(&cloud, "gateway:1", vec![one]).await.refusal().0, 400, "{what}");
    }
}

#[tokio::test]
async fn a_gap_is_not_taken_and_two_senders_of_one_source_do_not_double() {
    let app = App::start().await;
    let cloud = app.admin.with_token(Some(INTERNAL_TOKEN));
    let project = app.admin.project("gaps").await;
    let at = |sequence| record(&project, sequence, "requests", app.now(), 1);
    assert_eq!(send(&cloud, "g", vec![at(2), at(3)]).await.expect(200)["sequence"], 0, "1 is missing");
    assert_eq!(send(&cloud, "g", vec![at(1), at(2)]).await.expect(200)["sequence"], 2);
    assert_eq!(send(&cloud, "g", vec![at(2), at(3)]).await.expect(200)["sequence"], 3, "what is known is ignored");
    let both = futures::future::join_all((0..6).map(|_| send(&cloud, "g", vec![at(4), at(5)]))).await;
    assert!(both.iter().all(|reply| reply.body["sequence"] == 5));
    assert_eq!(app.count("usage_records").await, 5);
    for (what, records) in [
        ("a hole inside", vec![at(6), at(8)]),
        ("number zero", vec![at(0)]),
        ("a negative amount", vec![record(&project, 6, "requests", app.now(), -1)]),
        ("an unknown metric", vec![record(&project, 6, "smiles", app.now(), 1)]),
    ] {
        assert_eq!(send(&cloud, "g", records).await.refusal().0, 400, "{what}");
    }
}

#[tokio::test]
async fn a_data_plane_reports_for_itself_and_strangers_for_nobody() {
    let app = App::start().await;
    let (own, other) = (app.admin.project("own").await, app.admin.project("other").await);
    let id: ProjectId = own.parse().expect("an id");
    let mut conn = app.pool.acquire().await.expect("a connection");
    let master = app.master_key();
    let sealed = project_secrets::find(&mut conn, id).await.expect("reads").expect("it has secrets");
    let token = sealed.open_platform_token(master, id).expect("the same key");
    let plane = app.admin.with_token(Some(secrecy::ExposeSecret::expose_secret(&token)));
    let source = format!("data-plane:{own}:0123456789abcdef");
    assert_eq!(
        send(&plane, &source, vec![record(&own, 1, "function_calls", app.now(), 1)]).await.expect(200)["sequence"],
        1
    );
    assert_eq!(send(&plane, &source, vec![record(&other, 2, "requests", app.now(), 1)]).await.refusal().0, 403);
    assert_eq!(send(&plane, &format!("data-plane:{other}"), vec![]).await.refusal().0, 401);
    assert_eq!(send(&plane, "gateway:1", vec![]).await.refusal().0, 401);
    for stranger in [app.admin.with_token(None), app.admin.clone(), app.admin.with_token(Some("guess"))] {
        assert_eq!(send(&stranger, &source, vec![]).await.refusal().0, 401);
    }

    let status = json!({ "project_id": own, "version": "2.2.2", "started_at": app.now(), "last_request_at": null, "open_requests": 0, "migration": 3 });
    let beat = plane.post("/internal/v1/heartbeats", json!({ "status": status })).await;
    assert_eq!(beat.status, 204, "{}", beat.text);
    assert_eq!(store::heartbeats::find(&mut conn, id).await.expect("reads").expect("kept").migration, 3);
    let mut foreign = status;
    foreign["project_id"] = json!(other);
    assert_eq!(plane.post("/internal/v1/heartbeats", json!({ "status": foreign })).await.refusal().0, 401);
}
