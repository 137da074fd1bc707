//! What the engine costs, beside migra and pg-delta on the same pairs.
//!
//! `cargo bench -p schema-merge --bench merge -- [--sizes 100,1000,5000] [--one-in 8] [--no-peers]`. Peers are those that
//! `.ci/install bench` installs; each runs as its users run it, from a process start to a printed script. The share is of two-way
//! pairs of the corpus, target to source: the script must run, and `pg_dump` must then see no difference to the source.

#[path = "../../tests/it/cluster.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod cluster;
#[path = "../../tests/it/database.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod database;
#[path = "../../tests/it/dump.rs"]
mod dump;
mod peers;
mod share;
mod sizes;

use std::sync::Arc;

use cluster::Cluster;

/// As the product has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Arguments {
    sizes: Vec<usize>,
    one_in: usize,
    peers: bool,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let arguments = arguments();
    let cluster = Arc::new(Cluster::start().await);
    database::prepare(&cluster, "prelude").await;
    let peers = if arguments.peers { peers::installed() } else { Vec::new() };
    println!(
        "| tables | facts | extract | plan A→B | extract + plan | merge | apply | statements | peak memory | {} |",
        heads(&peers)
    );
    println!("|---|---|---|---|---|---|---|---|---|{}", "---|".repeat(peers.len().max(1)));
    for size in arguments.sizes {
        println!("{}", sizes::measure(&cluster, size, &peers).await);
    }
    share::measure(&cluster, &peers, arguments.one_in).await;
}

fn heads(peers: &[peers::Peer]) -> String {
    let names: Vec<_> = peers.iter().map(|peer| peer.name).collect();
    if names.is_empty() { "no peers".to_owned() } else { names.join(" | ") }
}

fn arguments() -> Arguments {
    let mut arguments = Arguments { sizes: vec![100, 1000, 5000], one_in: 8, peers: true };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        match name.as_str() {
            "--sizes" => {
                let list = given.next().unwrap_or_default();
                arguments.sizes = list.split(',').filter_map(|size| size.parse().ok()).collect();
            }
            "--one-in" => arguments.one_in = given.next().and_then(|text| text.parse().ok()).unwrap_or(1),
            "--no-peers" => arguments.peers = false,
            // Cargo says this to every benchmark.
            "--bench" => {}
            other => panic!("unknown argument {other}"),
        }
    }
    arguments
}
