//! Random schemas, changed at random on both sides: what must hold for all of them is looked at for each.
//!
//! `HEARTH_PAIRS` says how many pairs (40 otherwise), `HEARTH_SEED` where to begin, `HEARTH_FAULTS` after how many failures to stop
//! (5 otherwise). A failure is made small before it is shown: the three scripts that are printed with the seed break the same law and
//! none of their statements can go. A pair that is not done in time ends the test, which names it.

mod access;
mod edits;
mod fuzz;
mod inventory;
mod names;
mod real;
mod relations;
mod routines;
mod run;
mod shrink;
mod types;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cluster::Cluster;
use crate::database::prepare;

/// Pairs looked at side by side.
const WORKERS: usize = 3;
/// Pairs of a run in which nothing else is wished.
const PAIRS: u64 = 40;
/// A run ends when it has found this many.
const ENOUGH: u64 = 5;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_pairs_obey_the_laws() {
    let (first, pairs, enough) =
        (number("HEARTH_SEED", 1), number("HEARTH_PAIRS", PAIRS), number("HEARTH_FAULTS", ENOUGH));
    let cluster = Arc::new(Cluster::start().await);
    prepare(&cluster, "prelude").await;
    let (next, failed) = (Arc::new(AtomicU64::new(first)), Arc::new(AtomicU64::new(0)));
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..WORKERS {
        let (cluster, next, failed) = (cluster.clone(), next.clone(), failed.clone());
        workers.spawn(async move {
            let (mut failures, mut tally) = (Vec::new(), run::Tally::default());
            while failed.load(Ordering::Relaxed) < enough {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= first + pairs {
                    break;
                }
                let sizes = run::Sizes { base: 6..26, side: 1..9 };
                let (pair, problems, outcome) =
                    run::generate_and_check(&cluster, worker, seed, "prelude", &sizes).await;
                tally.add(&pair, outcome);
                if let Some(problem) = problems.first() {
                    failed.fetch_add(1, Ordering::Relaxed);
                    let small = shrink::shrink(&cluster, worker, pair, problem).await;
                    failures.push(format!("seed {seed}: {}\n{small}", problems.join("\n")));
                }
            }
            (failures, tally)
        });
    }
    let (mut failures, mut tally) = (Vec::new(), run::Tally::default());
    for (found, counted) in workers.join_all().await {
        failures.extend(found);
        tally.join(counted);
    }
    println!("seeds {first} to {}: {tally}", first + pairs - 1);
    assert!(failures.is_empty(), "{} pair(s) break a law\n\n{}", failures.len(), failures.join("\n\n"));
    assert!(tally.clean > 0 && tally.conflicts > 0, "the generator makes both clean merges and conflicts: {tally}");
}
