//! Dry run and merge between a project of 300 tables and its branch with 60 changes.

use std::time::Instant;

use chrono::DateTime;
use serde_json::Value;
use tests::{Api, Cloud, DataPlane, writer::Writer};

use crate::report::Report;

const TABLES: usize = 300;
const CHANGES: usize = 60;

pub(crate) async fn measure(report: &mut Report) {
    let cloud = Cloud::start().await;
    let api = cloud.api();
    let project = api.new_project(cloud.organization(), "Wide").await;
    let parent = DataPlane::of(&cloud, &project.id).await;
    for number in 0..TABLES {
        parent
            .sql(&format!(
                "create table t{number} (id bigint generated always as identity primary key, name text not null, amount numeric, at timestamptz default now());\
                 create index t{number}_name_idx on t{number} (name)"
            ))
            .await;
    }
    parent.sql("create table written (number bigint)").await;
    let branch = api.new_branch(&project.id, "wide", "full").await;
    let on_branch = DataPlane::of(&cloud, &branch.id).await;
    for number in 0..CHANGES {
        on_branch
            .sql(&format!(
                "alter table t{number} add column extra text; create view v{number} as select id, extra from t{number}"
            ))
            .await;
    }

    let begun = Instant::now();
    let dry = api.merge_dry_run(&branch.id).await;
    let elapsed = begun.elapsed();
    assert_eq!(dry["summary"]["conflicts"], 0);
    let what = format!("merge dry run, {TABLES} tables, {} changes", dry["changes"].as_array().map_or(0, Vec::len));
    let whole = format!("{} ms ({})", elapsed.as_millis(), parts(&last_steps(&api, &branch.id).await));
    report.add(what, whole, "≤ 2,000 ms", Some(elapsed.as_millis() <= 2000));

    let writer = Writer::start(parent, "written", |number| serde_json::json!({ "number": number }));
    let begun = Instant::now();
    let _ = api.merge(&branch.id).await.expect(200);
    let elapsed = begun.elapsed();
    let written = writer.stop().await;
    assert_eq!(written.failures, Vec::<String>::new());
    let steps = last_steps(&api, &branch.id).await;
    let apply = duration_ms(&steps, "apply");
    report.add("merge apply", format!("{apply} ms"), "≤ 2,000 ms", Some(apply <= 2000));
    let whole = format!("{} ms ({})", elapsed.as_millis(), parts(&steps));
    report.add("merge, the whole call with plan and rehearsal", whole, "none", None);
    let blocked = written.slowest.as_millis();
    report.add("slowest write on the parent meanwhile", format!("{blocked} ms"), "≤ 500 ms", Some(blocked <= 500));
    cloud.finish().await;
}

/// The steps of the newest operation on a branch.
async fn last_steps(api: &Api, branch: &str) -> Vec<Value> {
    let listed = api.get(&format!("/projects/v1/{branch}/operations")).await.expect(200);
    let id = listed["operations"][0]["id"].as_str().expect("the merge is an operation of its branch").to_owned();
    api.operation(&id).await["steps"].as_array().cloned().unwrap_or_default()
}

/// How long the parts of a merge took, for people.
fn parts(steps: &[Value]) -> String {
    let parts = ["prepare", "rehearse", "record"].map(|name| format!("{name} {}", duration_ms(steps, name)));
    parts.join(", ")
}

/// How long a step took.
fn duration_ms(steps: &[Value], name: &str) -> i64 {
    let step = steps.iter().find(|step| step["name"] == name).expect("every merge has these steps");
    let at = |field: &str| {
        let text = step[field].as_str().expect("the step has ended");
        DateTime::parse_from_rfc3339(text).expect("a time").timestamp_millis()
    };
    at("finished_at") - at("started_at")
}
