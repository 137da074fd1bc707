//! Real applications, and very many tables, changed at random on both sides.

use super::{number, run, shrink};
use crate::applications;
use crate::cluster::Cluster;
use crate::database::{copy, prepare, run_as_developer};
use crate::planning_time;

/// Edits on each side.
const EDITS: run::Sizes = run::Sizes { base: 0..0, side: 20..21 };
/// Tables of the synthetic schema where nothing else is wished.
const TABLES: u64 = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_applications_evolve_at_random_and_merge() {
    let cluster = Cluster::start().await;
    prepare(&cluster, "prelude").await;
    for name in ["todo.sql", "crm.sql", "e-commerce.sql"] {
        let Some(script) = applications::script(name) else { return };
        let foundation = name.split('.').next().unwrap_or_default().replace('-', "_");
        copy(&cluster, &foundation, "prelude").await;
        run_as_developer(&cluster, &foundation, &script).await;
        for seed in 1..=number("HEARTH_APP_SEEDS", 3) {
            evolve(&cluster, &foundation, seed).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn very_many_tables_evolve_at_random_and_merge() {
    let count = usize::try_from(number("HEARTH_TABLES", TABLES)).expect("a number of tables");
    let cluster = Cluster::start().await;
    prepare(&cluster, "many").await;
    for first in (1..=count).step_by(250) {
        run_as_developer(&cluster, "many", &planning_time::tables(first, (first + 249).min(count))).await;
    }
    evolve(&cluster, "many", 1).await;
}

async fn evolve(cluster: &Cluster, foundation: &str, seed: u64) {
    let (pair, problems, outcome) = run::generate_and_check(cluster, 0, seed, foundation, &EDITS).await;
    println!("{foundation}, seed {seed}: {} and {} edits, {outcome:?}", pair.target.len(), pair.source.len());
    if let Some(problem) = problems.first() {
        let small = shrink::shrink(cluster, 0, pair, problem).await;
        panic!("{foundation}, seed {seed}: {}\n{small}", problems.join("\n"));
    }
}
