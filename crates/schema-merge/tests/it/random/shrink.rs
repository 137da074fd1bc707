//! Makes a failing pair small: leaves out edits as long as the same law stays broken.

use std::time::{Duration, Instant};

use super::number;
use super::run::{Pair, check};
use crate::cluster::Cluster;

/// Smaller is nicer, but only for so many seconds; `HEARTH_SHRINK` says another number.
const PATIENCE: u64 = 90;

/// The three scripts of the smallest pair found, for a person.
pub(super) async fn shrink(cluster: &Cluster, worker: usize, pair: Pair, problem: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(number("HEARTH_SHRINK", PATIENCE));
    let kind = class(problem);
    let mut pair = pair;
    let mut shown = problem.to_owned();
    let mut size = 8;
    while size > 0 && Instant::now() < deadline {
        let mut smaller = false;
        for side in 0..3 {
            let mut at = 0;
            while at < edits(&mut pair, side).len() && Instant::now() < deadline {
                let mut candidate = pair.clone();
                let list = edits(&mut candidate, side);
                let end = (at + size).min(list.len());
                list.drain(at..end);
                let (problems, _) = check(cluster, worker, &candidate).await;
                if let Some(same) = problems.into_iter().find(|found| class(found) == kind) {
                    pair = candidate;
                    shown = same;
                    smaller = true;
                } else {
                    at += size;
                }
            }
        }
        size = if smaller && size == 1 { 1 } else { size / 2 };
    }
    format!(
        "  made small: {shown}
{pair}"
    )
}

fn edits(pair: &mut Pair, side: usize) -> &mut Vec<String> {
    match side {
        0 => &mut pair.source,
        1 => &mut pair.target,
        _ => &mut pair.base,
    }
}

/// What a problem is called, without the names in it.
fn class(problem: &str) -> String {
    let first = problem.lines().next().unwrap_or_default();
    let words = first.split(['"', ',', '[']).next().unwrap_or_default();
    words.chars().take(60).collect()
}
