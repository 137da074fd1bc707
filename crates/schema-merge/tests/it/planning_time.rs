//! How long reading and planning take for many tables. Printed, not asserted.

use std::time::Instant;

use schema_merge::{extract, merge};

use crate::cluster::Cluster;
use crate::database::{connect, copy, prepare, run_as_developer, snapshot, snapshot_of};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_and_planning_many_tables() {
    let cluster = Cluster::start().await;
    for count in [300, 1000] {
        let (base, target, source) = (format!("base{count}"), format!("target{count}"), format!("source{count}"));
        prepare(&cluster, &base).await;
        for first in (1..=count).step_by(250) {
            run_as_developer(&cluster, &base, &tables(first, (first + 249).min(count))).await;
        }
        copy(&cluster, &target, &base).await;
        copy(&cluster, &source, &base).await;
        let changes: String = (1..=200)
            .map(|n| format!("alter table t{n} add column extra text; create index t{n}_extra on t{n} (extra);"))
            .collect();
        run_as_developer(&cluster, &source, &changes).await;
        let changes: String = (100..=200).map(|n| format!("alter table t{n} add column other int;")).collect();
        run_as_developer(&cluster, &target, &changes).await;
        let client = connect(&cluster, &source).await;
        client.batch_execute(&extract::SETTINGS.replace(" local", "")).await.expect("settings");
        for query in extract::queries() {
            let begin = Instant::now();
            client.query_one(query.sql.as_str(), &[]).await.expect("an answer");
            if begin.elapsed().as_millis() > 40 {
                println!("  {count} tables: slow query {} {:?}", query.name, begin.elapsed());
            }
        }
        let begin = Instant::now();
        let there = snapshot(&client).await;
        let reading = begin.elapsed();
        let (old, now) = (snapshot_of(&cluster, &base).await, snapshot_of(&cluster, &target).await);
        let begin = Instant::now();
        let plan = merge(&old, &now, &there);
        println!(
            "{count} tables: {} facts read in {reading:?}; merge of {} changes planned in {:?}; {} statements",
            there.catalog.len(),
            plan.changes.len(),
            begin.elapsed(),
            plan.statements.len()
        );
        assert!(!plan.blocked());
        assert_eq!(plan.changes.len(), 200);
    }
}

pub(crate) fn tables(first: usize, last: usize) -> String {
    (first..=last)
        .map(|n| {
            let parent = if n % 250 > 1 { format!(" references t{}", n - 1) } else { String::new() };
            format!(
                "create table t{n} (id bigint primary key, parent_id bigint{parent}, name text not null default '', created_at timestamptz default now(), \
                 constraint t{n}_name check (name <> '')); create index t{n}_parent on t{n} (parent_id); alter table t{n} enable row level security; \
                 create policy own on t{n} using (name = current_user);"
            )
        })
        .collect()
}
