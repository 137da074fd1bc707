//! Many tables, two hundred changes on one side and a hundred on the other.

use std::time::{Duration, Instant};

use schema_merge::plan::two_way;
use schema_merge::{Catalog, extract};

use crate::cluster::Cluster;
use crate::database::{self, apply, catalog, connect, copy, merged, run_as_developer, with_catalog};
use crate::peers::Peer;

/// Times each step is measured; the best one counts.
const TIMES: usize = 3;
/// Changes of the source.
const CHANGES: usize = 200;

/// One line of the table.
pub(crate) async fn measure(cluster: &Cluster, size: usize, peers: &[Peer]) -> String {
    let [base, target, source] = ["base", "target", "source"].map(|side| format!("{side}{size}"));
    copy(cluster, &base, "prelude").await;
    for first in (1..=size).step_by(250) {
        run_as_developer(cluster, &base, &tables(first, (first + 249).min(size))).await;
    }
    for side in [&target, &source] {
        copy(cluster, side, &base).await;
    }
    run_as_developer(cluster, &source, &changes(size)).await;
    let others: String = (1..=100.min(size))
        .map(|n| format!("alter table t{n} add column other int; comment on table t{n} is 'n';"))
        .collect();
    run_as_developer(cluster, &target, &others).await;

    reset_peak();
    let (reading, theirs) = read(cluster, &target).await;
    let (both, ours) = read_both(cluster, &target, &source).await;
    let (planning, plan) = best(|| two_way(&theirs, &ours));
    assert!(plan.unsupported.is_empty(), "{:?}", plan.unsupported);
    let peak = peak();
    let (_, old) = read(cluster, &base).await;
    let sides = [&old, &theirs, &ours].map(with_catalog);
    let (merging, plan) = best(|| merged(&sides[0], &sides[1], &sides[2]));
    assert!(!plan.blocked(), "{:?}", plan.conflicts);
    let applying = run(cluster, &target, &plan).await;
    let mut line = format!(
        "| {size} | {} | {} | {} | {} | {} | {} | {} | {peak} MB |",
        theirs.len(),
        shown(reading),
        shown(planning),
        shown(both + planning),
        shown(merging),
        shown(applying),
        plan.statements.len()
    );
    // The merge is taken back by now, so peers see the pair that was planned.
    for peer in peers {
        let begin = Instant::now();
        let outcome = peer.script(cluster, &target, &source).await;
        let word = outcome.map_or_else(
            |error| format!("fails: {}", error.lines().next_back().unwrap_or_default()),
            |_| shown(begin.elapsed()),
        );
        line += &format!(" {word} |");
    }
    if peers.is_empty() {
        line += " |";
    }
    for side in [&base, &target, &source] {
        database::drop(cluster, side).await;
    }
    line
}

async fn read(cluster: &Cluster, name: &str) -> (Duration, Catalog) {
    let mut fastest = Duration::MAX;
    let mut found = Catalog::default();
    for _ in 0..TIMES {
        // A new connection each time: caches are cold, as they are when somebody merges.
        let client = connect(cluster, name).await;
        let begin = Instant::now();
        found = catalog(&client).await;
        fastest = fastest.min(begin.elapsed());
    }
    (fastest, found)
}

/// Both sides at once, as a merge and the command line read them; the second one's catalog.
async fn read_both(cluster: &Cluster, target: &str, source: &str) -> (Duration, Catalog) {
    let mut fastest = Duration::MAX;
    let mut found = Catalog::default();
    for _ in 0..TIMES {
        let clients = [connect(cluster, target).await, connect(cluster, source).await];
        let begin = Instant::now();
        let reading = clients.map(|client| tokio::spawn(async move { catalog(&client).await }));
        for side in reading {
            found = side.await.expect("a side is read");
        }
        fastest = fastest.min(begin.elapsed());
    }
    (fastest, found)
}

fn best<T>(mut work: impl FnMut() -> T) -> (Duration, T) {
    let begin = Instant::now();
    let mut outcome = work();
    let mut fastest = begin.elapsed();
    for _ in 1..TIMES {
        let begin = Instant::now();
        outcome = work();
        fastest = fastest.min(begin.elapsed());
    }
    (fastest, outcome)
}

/// Runs the merge, looks whether it leads where it should, and takes it back.
async fn run(cluster: &Cluster, name: &str, plan: &schema_merge::MergePlan) -> Duration {
    let mut client = connect(cluster, name).await;
    let transaction = client.transaction().await.expect("a transaction can begin");
    let statements: Vec<_> =
        plan.statements.iter().map(|statement| (statement.sql.clone(), statement.role_hint.clone())).collect();
    let begin = Instant::now();
    apply(&transaction, statements).await.expect("the merge runs");
    let took = begin.elapsed();
    transaction.batch_execute(extract::SETTINGS).await.expect("settings");
    let reached = catalog(&transaction).await;
    assert_eq!(reached.hash(), plan.predicted_hash, "{:#?}", plan.predicted.differences(&reached));
    transaction.rollback().await.expect("a transaction can be taken back");
    took
}

fn shown(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.2} s", time.as_secs_f64())
    }
}

fn reset_peak() {
    // Refused in some containers; the figure is then the peak of the whole run.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or_default() / 1024
}

fn tables(first: usize, last: usize) -> String {
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

/// Ten kinds of change in turn, all of which every peer knows.
fn changes(size: usize) -> String {
    (1..=CHANGES)
        .map(|n| {
            let t = n % size + 1;
            match n % 10 {
                0 => format!("create table new{n} (id bigint primary key, t_id bigint references t{t});"),
                1 => format!("create index t{t}_by_name{n} on t{t} (name);"),
                2 => format!("alter table t{t} alter name set default 'x{n}';"),
                3 => format!("create view v{n} as select id, name from t{t} where name <> 'x{n}';"),
                4 => format!("create function f{n}() returns bigint language sql as 'select {n}::bigint';"),
                5 => format!("alter table t{t} alter created_at set not null;"),
                6 => format!("create policy p{n} on t{t} for select using (id > {n});"),
                7 => format!("alter table t{t} add constraint c{n} check (id > 0);"),
                8 => format!("create type e{n} as enum ('a', 'b');"),
                _ => format!("alter table t{t} add column extra{n} text;"),
            }
        })
        .collect()
}
