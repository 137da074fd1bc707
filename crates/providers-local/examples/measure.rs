//! Measures creating, cloning, keeping, resetting and waking projects on this machine, with real Postgres.
//!
//! `cargo run -p providers-local --example measure -- <home> <data-plane program> [rows of 1 kB] [rounds] [no-pool]`

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use ids::ProjectId;
use model::sealing::MasterKey;
use providers::{Compute as _, Database as _, suite};
use providers_local::{LocalConfig, LocalNode, PoolChoice, postgres::find_distributions};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Times of one kind of work.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    async fn take<T, E>(&mut self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let start = Instant::now();
        let outcome = work.await;
        self.0.push(start.elapsed());
        outcome
    }

    fn print(mut self, what: &str) {
        self.0.sort();
        let at = |share: usize| self.0[(self.0.len() - 1) * share / 100].as_millis();
        println!("{what:<42} p50 {:>5} ms   p99 {:>5} ms   n {}", at(50), at(99), self.0.len());
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let (home, program) =
        (PathBuf::from(next("/tmp/hearth-measure")), PathBuf::from(next("target/debug/examples/stand_in_data_plane")));
    let (rows, rounds): (u64, usize) = (next("0").parse()?, next("10").parse()?);
    let pool = if next("pool") == "no-pool" { PoolChoice::Never } else { PoolChoice::Auto };
    std::fs::create_dir_all(&home)?;
    let mut config =
        LocalConfig::new(home, program, find_distributions(&[])?, MasterKey::new(&MasterKey::generate(), None)?);
    config.pool = pool;
    let node = LocalNode::open(config).await?;
    node.prepare_template().await?;
    println!("reflink: {}", node.reflink());
    let measured = async {
        create_and_wake(&node, rounds).await?;
        branch(&node, rows, rounds).await
    };
    let outcome = measured.await;
    node.shutdown().await?;
    outcome
}

async fn create_and_wake(node: &LocalNode, rounds: usize) -> Result<(), Failure> {
    let (mut database, mut plane, mut sleep, mut wake, mut drop) =
        (Times::default(), Times::default(), Times::default(), Times::default(), Times::default());
    for _ in 0..rounds {
        let id = ProjectId::generate();
        database.take(node.ensure_database(&suite::new_database(id))).await?;
        plane.take(node.ensure_data_plane(&suite::data_plane(id, "a"))).await?;
        sleep.take(node.sleep(id, Duration::ZERO)).await?;
        wake.take(node.wake(id)).await?;
        node.drop_data_plane(id).await?;
        drop.take(node.drop_database(id)).await?;
    }
    database.print("create: database");
    plane.print("create: data plane");
    sleep.print("sleep");
    wake.print("wake, both processes");
    drop.print("drop");
    Ok(())
}

async fn branch(node: &LocalNode, rows: u64, rounds: usize) -> Result<(), Failure> {
    let parent = ProjectId::generate();
    node.ensure_database(&suite::new_database(parent)).await?;
    let mut config = tokio_postgres::Config::new();
    config.host_path(node.socket_folder(parent)).port(5432).user("postgres").dbname("insforge");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    let fill = format!(
        "create table bulk as select i, repeat(md5(i::text), 31) as filler from generate_series(1, {rows}) as i"
    );
    client.batch_execute(&format!("{fill}; create table writes (id bigserial primary key, filler text)")).await?;
    let bytes: i64 = client.query_one("select pg_database_size('insforge')", &[]).await?.get(0);
    let writer = tokio::spawn(async move {
        // Ends when its server is stopped.
        while client.execute("insert into writes (filler) values (repeat('x', 200))", &[]).await.is_ok() {}
    });
    let (mut clone, mut keep, mut prepare, mut swap) =
        (Times::default(), Times::default(), Times::default(), Times::default());
    for _ in 0..rounds {
        let id = ProjectId::generate();
        clone.take(node.ensure_database(&suite::clone_of(parent, id))).await?;
        keep.take(node.ensure_snapshot(id, "t0")).await?;
        prepare.take(node.prepare_reset(id, "t0")).await?;
        swap.take(async {
            node.swap_reset(id).await?;
            node.ensure_database(&suite::new_database(id)).await
        })
        .await?;
        node.drop_database(id).await?;
    }
    let size = bytes / 1024 / 1024;
    clone.print(&format!("clone of a written-to parent ({size} MiB)"));
    keep.print("keep a snapshot of the clone");
    prepare.print("prepare a reset");
    swap.print("swap and start");
    node.drop_database(parent).await?;
    writer.await?;
    Ok(())
}
