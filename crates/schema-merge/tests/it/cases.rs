//! Folders of cases: `base.sql` on all three sides, then `source.sql` and `target.sql` on theirs, and what the merge must say.
//!
//! `BLESS=1` writes the verdicts as they are, `CASE=word` runs those whose name has the word, `SHOW=1` prints the plans.
//! `merged.sql`, where there is one, leads from the target to the wanted result; otherwise running both sides' scripts one after
//! the other does, as far as they can run so.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use schema_merge::{MergePlan, render};
use serde_json::{Map, Value, json};

use crate::cluster::{Cluster, other_versions};
use crate::database::{
    connect, copy, disconnected, drop, merged, prepare, run_as_developer, snapshot, try_as_developer,
};
use crate::{laws, proof};

/// Cases run side by side, each with databases of its own.
const WORKERS: usize = 3;

/// On other major versions one case in so many is run, unless all are wished.
const ONE_IN: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_merges_as_expected_and_the_plan_leads_where_it_says() {
    let only = std::env::var("CASE").ok();
    let (count, failures) = run_all(Cluster::start().await, only.as_deref(), 1).await;
    assert!(failures.is_empty(), "{} case(s) fail: {failures:?}", failures.len());
    assert!(only.is_some() || count >= 500, "only {count} cases");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cases_merge_as_expected_on_other_major_versions() {
    let installations = other_versions();
    assert!(
        installations.len() == 2 || std::env::var_os("CI").is_none(),
        "`.ci/install test` installs two versions more"
    );
    let one_in = if std::env::var_os("HEARTH_ALL_VERSIONS").is_some() { 1 } else { ONE_IN };
    let only = std::env::var("CASE").ok();
    let mut failures = BTreeSet::new();
    for installation in installations {
        let (_, found) = run_all(Cluster::of(Some(installation)).await, only.as_deref(), one_in).await;
        failures.extend(found);
    }
    assert!(failures.is_empty(), "{} case(s) fail: {failures:?}", failures.len());
}

/// Runs one in so many of the cases; returns how many, and which have problems.
async fn run_all(cluster: Cluster, only: Option<&str>, one_in: usize) -> (usize, BTreeSet<String>) {
    let cluster = Arc::new(cluster);
    let version = cluster.version().await;
    prepare(&cluster, "prelude").await;
    let folders: VecDeque<_> = chosen(&cluster, version, only).await.into_iter().step_by(one_in).collect();
    let count = folders.len();
    let queue = Arc::new(Mutex::new(folders));
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..WORKERS {
        let (cluster, queue) = (cluster.clone(), queue.clone());
        workers.spawn(async move {
            let mut failures = Vec::new();
            loop {
                let next = queue.lock().expect("a worker panics only outside").pop_front();
                let Some(folder) = next else { return failures };
                for problem in run_case(&cluster, worker, &folder).await {
                    println!("{} on {version}: {problem}", name_of(&folder));
                    failures.push(name_of(&folder).to_owned());
                }
            }
        });
    }
    let failures: BTreeSet<String> = workers.join_all().await.into_iter().flatten().collect();
    println!("{count} cases on Postgres {version}");
    (count, failures)
}

fn name_of(folder: &Path) -> &str {
    folder.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// All cases, except those for which the server lacks an extension or is too old.
async fn chosen(cluster: &Cluster, version: u32, only: Option<&str>) -> Vec<PathBuf> {
    let client = connect(cluster, "postgres").await;
    let query = "select coalesce(array_agg(name::text), '{}') from pg_available_extensions";
    let available: Vec<String> = client.query_one(query, &[]).await.expect("extensions can be listed").get(0);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut folders: Vec<_> = std::fs::read_dir(root)
        .expect("cases are in the repository")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir() && only.is_none_or(|only| name_of(path).contains(only)))
        .filter(|path| {
            let needed: Value = expectation(path).get("requires").cloned().unwrap_or_default();
            let extension = needed.get("extension").and_then(Value::as_str);
            extension.is_none_or(|name| available.iter().any(|known| known == name))
                && needed.get("version").and_then(Value::as_u64).is_none_or(|least| u64::from(version) >= least)
        })
        .collect();
    folders.sort();
    folders
}

async fn run_case(cluster: &Cluster, worker: usize, folder: &Path) -> Vec<String> {
    let [source, target, wanted] = ["source", "target", "wanted"].map(|side| format!("{side}{worker}"));
    for name in [&source, &target, &wanted] {
        drop(cluster, name).await;
    }
    let script = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    // The database of the base becomes the source: one copy less.
    copy(cluster, &source, "prelude").await;
    let client = connect(cluster, &source).await;
    if let Err(error) = try_as_developer(&client, &script("base.sql")).await {
        return vec![format!("base.sql: {error}")];
    }
    let base = snapshot(&client).await;
    disconnected(cluster, client, &source).await;
    copy(cluster, &target, &source).await;
    let (mut there, mut here) = (connect(cluster, &target).await, connect(cluster, &source).await);
    for (client, file) in [(&there, "target.sql"), (&here, "source.sql")] {
        if let Err(error) = try_as_developer(client, &script(file)).await {
            return vec![format!("{file}: {error}")];
        }
    }
    let (theirs, ours) = (snapshot(&there).await, snapshot(&here).await);
    let plan = merged(&base, &theirs, &ours);
    if std::env::var("SHOW").is_ok() {
        println!("{}", render::rendered_sql(&plan, "now"));
    }
    let mut problems = verdict_problems(folder, &plan);
    problems.extend(laws::broken(&base.catalog, &theirs.catalog, &ours.catalog, &plan));
    let foreseen = expectation(folder).get("fails").and_then(Value::as_str).map(|code| format!("[{code}]"));
    let as_foreseen = |problem: &String| foreseen.as_ref().is_some_and(|code| problem.contains(code));
    let both_ways = proof::there_and_back(&mut there, &theirs.catalog, &ours.catalog).await;
    problems.extend(both_ways.into_iter().filter(|problem| !as_foreseen(problem)));
    if plan.blocked() {
        return problems;
    }
    let by_hand = script("merged.sql");
    if !by_hand.is_empty() {
        disconnected(cluster, there, &target).await;
        copy(cluster, &wanted, &target).await;
        run_as_developer(cluster, &wanted, &by_hand).await;
        there = connect(cluster, &target).await;
    }
    let rows = proof::row_counts(&there).await;
    let before = cluster.dump(&target).await;
    if let Err(error) = proof::apply_merge(&mut there, &plan).await {
        if !as_foreseen(&error) {
            problems.push(format!("merge: {error}"));
        }
        return problems;
    }
    let reached = proof::Seen::of(cluster, &target, &there).await;
    problems.extend(proof::unexplained(&before, &reached, &theirs.catalog, &plan));
    problems.extend(laws::repeated(&base.catalog, &reached.catalog, &ours.catalog));
    problems.extend(proof::lost_rows(&rows, &proof::row_counts(&there).await, &plan));
    let other = if by_hand.is_empty() {
        if let Err(error) = proof::replayed(&mut here, &script("target.sql"), &ours.catalog, &plan).await {
            problems.push(error);
            return problems;
        }
        proof::Seen::of(cluster, &source, &here).await
    } else {
        proof::Seen::of(cluster, &wanted, &connect(cluster, &wanted).await).await
    };
    problems.extend(proof::same_schema(&reached, Some(&other), &plan));
    problems
}

fn verdict(plan: &MergePlan) -> Map<String, Value> {
    let name =
        |schema: &str, object: &str| if schema.is_empty() { object.to_owned() } else { format!("{schema}.{object}") };
    let sorted = |mut list: Vec<String>| {
        list.sort();
        json!(list)
    };
    let changes = plan.changes.iter().map(|change| {
        let loss = if change.destructive { ", destructive" } else { "" };
        let object = name(&change.object.schema, &change.object.object);
        format!("{} {object} ({}{loss})", change.object.kind, change.action.word())
    });
    let conflicts = plan.conflicts.iter().map(|conflict| {
        format!(
            "{} {} {}",
            conflict.class,
            conflict.object.kind,
            name(&conflict.object.schema, &conflict.object.object)
        )
    });
    let unsupported =
        plan.unsupported.iter().map(|entry| format!("{} {}", entry.kind, name(&entry.schema, &entry.name)));
    let word = if !plan.conflicts.is_empty() {
        "conflict"
    } else if !plan.unsupported.is_empty() {
        "unsupported"
    } else {
        "clean"
    };
    let mut seen = Map::new();
    seen.insert("verdict".to_owned(), json!(word));
    seen.insert("changes".to_owned(), sorted(changes.collect()));
    seen.insert("conflicts".to_owned(), sorted(conflicts.collect()));
    seen.insert("unsupported".to_owned(), sorted(unsupported.collect()));
    seen
}

fn expectation(folder: &Path) -> Value {
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn verdict_problems(folder: &Path, plan: &MergePlan) -> Vec<String> {
    let mut seen = verdict(plan);
    let expected = expectation(folder);
    // Hazards are named where a case is about them: each class must be among those of the plan.
    let wanted: Vec<&str> =
        expected.get("hazards").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let lacking: Vec<_> =
        wanted.iter().filter(|class| !plan.hazards.iter().any(|hazard| hazard.class == **class)).collect();
    let mut problems = Vec::new();
    if !lacking.is_empty() {
        let there: Vec<_> = plan.hazards.iter().map(|hazard| &hazard.class).collect();
        problems.push(format!("expected hazards {lacking:?} but saw {there:?}"));
    }
    // A case about a conflict need not say what else would change: what it leaves out is not looked at.
    if let Value::Object(expected) = &expected {
        seen.retain(|key, _| expected.contains_key(key));
        for kept in ["hazards", "fails", "requires"] {
            if let Some(value) = expected.get(kept) {
                seen.insert(kept.to_owned(), value.clone());
            }
        }
    }
    let seen = Value::Object(seen);
    if std::env::var("BLESS").is_ok() {
        let text = serde_json::to_string_pretty(&seen).expect("a verdict is plain JSON");
        std::fs::write(folder.join("expected.json"), text + "\n").expect("a verdict can be written");
    } else if expected != seen {
        problems.push(format!("expected {expected}\n    but saw  {seen}"));
    }
    problems
}
