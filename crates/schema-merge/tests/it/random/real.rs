//! Applications with rows, and very many tables, changed at random on both sides.

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
    let (mut pairs, mut in_the_way) = (0, 0);
    for (name, script) in applications::all() {
        let foundation = name.split('.').next().unwrap_or_default().replace('-', "_");
        copy(&cluster, &foundation, "prelude").await;
        run_as_developer(&cluster, &foundation, &script).await;
        for seed in 1..=number("HEARTH_APP_SEEDS", 3) {
            pairs += 1;
            in_the_way += u64::from(evolve(&cluster, &foundation, seed).await);
        }
    }
    println!("{pairs} pairs; rows were in the way of {in_the_way}");
    assert!(
        in_the_way * 2 <= pairs,
        "rows are in the way of most plans ({in_the_way} of {pairs}), so little is proved"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn very_many_tables_evolve_at_random_and_merge() {
    let count = usize::try_from(number("HEARTH_TABLES", TABLES)).expect("a number of tables");
    let cluster = Cluster::start().await;
    prepare(&cluster, "many").await;
    for first in (1..=count).step_by(250) {
        run_as_developer(&cluster, "many", &planning_time::tables(first, (first + 249).min(count))).await;
    }
    assert!(!evolve(&cluster, "many", 1).await, "its tables have no rows");
}

/// True when rows were in the way of a plan.
async fn evolve(cluster: &Cluster, foundation: &str, seed: u64) -> bool {
    let (pair, mut problems, outcome) = run::generate_and_check(cluster, 0, seed, foundation, &EDITS).await;
    println!("{foundation}, seed {seed}: {} and {} edits, {outcome:?}", pair.target.len(), pair.source.len());
    let found = problems.len();
    problems.retain(|problem| !rows_in_the_way(problem));
    let in_the_way = problems.len() < found;
    if let Some(problem) = problems.first() {
        let small = shrink::shrink(cluster, 0, pair, problem).await;
        panic!("{foundation}, seed {seed}: {}\n{small}", problems.join("\n"));
    }
    in_the_way
}

/// True when Postgres refused a statement because rows contradict what it asks for: what one side demands of all rows, the other
/// side's rows may break, and a plan without lineage adds columns that the branch filled in two steps.
fn rows_in_the_way(problem: &str) -> bool {
    let Some((error, statement)) = problem.split_once("\n  in: ") else { return false };
    let statement = statement.to_lowercase();
    let demands = |words: &[&str]| words.iter().any(|word| statement.contains(word));
    [
        ("[23502]", &["not null", "primary key", "as identity", " type "] as &[&str]),
        ("[23505]", &["unique", "primary key"]),
        ("[23503]", &["foreign key", "validate constraint"]),
        ("[23514]", &["check", "validate constraint", "attach partition", " type ", "add column"]),
    ]
    .into_iter()
    .any(|(code, words)| error.contains(code) && demands(words))
}
