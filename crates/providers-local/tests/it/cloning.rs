//! Live clones while a client keeps writing.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use ids::ProjectId;
use providers::{Database as _, DatabaseSpec, suite};
use providers_local::PoolChoice;
use serde_json::Value;

use crate::harness::{Home, connect};

const ACCOUNTS: i64 = 2000;

const SCHEMA: &str = "create table accounts (id bigint primary key, balance bigint not null, filler text not null);
    create table transfers (id bigserial primary key, account bigint not null, amount bigint not null);
    insert into accounts select i, 0, repeat('x', 500) from generate_series(1, 2000) as i";

/// Balances must equal the sum of transfers in every consistent copy; returns how many transfers there are.
async fn check_consistent(home: &Home, id: ProjectId) -> i64 {
    let client = home.sql(id).await;
    let sums = "select (select coalesce(sum(balance), 0)::bigint from accounts), (select coalesce(sum(amount), 0)::bigint from transfers),
        (select count(*) from transfers), (select count(*) from accounts)";
    let row = client.query_one(sums, &[]).await.expect("reads");
    let (balances, transfers, count, accounts): (i64, i64, i64, i64) = (row.get(0), row.get(1), row.get(2), row.get(3));
    assert_eq!(balances, transfers, "the copy is inconsistent");
    assert_eq!(accounts, ACCOUNTS);
    // Reads every index and heap page once.
    client.batch_execute("reindex table accounts; reindex table transfers; analyze").await.expect("the copy is sound");
    count
}

async fn clones_under_load(choice: PoolChoice) {
    let home = Home::new(choice).await;
    let (parent, _) = home.create().await;
    home.sql(parent).await.batch_execute(SCHEMA).await.expect("the schema is made");
    let stop = Arc::new(AtomicBool::new(false));
    let written = Arc::new(AtomicU64::new(0));
    let writers: Vec<_> = (0..4_i64)
        .map(|writer| {
            let (stop, written, sockets) = (stop.clone(), written.clone(), home.node.socket_folder(parent));
            tokio::spawn(async move {
                let mut client = connect(&sockets).await;
                let mut turn = writer;
                while !stop.load(Ordering::Relaxed) {
                    turn += 4;
                    let account = turn % ACCOUNTS + 1;
                    let transaction = client.transaction().await.expect("the parent accepts a transaction");
                    transaction
                        .execute("update accounts set balance = balance + $2 where id = $1", &[&account, &turn])
                        .await
                        .expect("updates");
                    transaction
                        .execute("insert into transfers (account, amount) values ($1, $2)", &[&account, &turn])
                        .await
                        .expect("inserts");
                    transaction.commit().await.expect("commits");
                    written.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();

    let mut clones = Vec::new();
    for _ in 0..4 {
        let before = written.load(Ordering::Relaxed);
        crate::harness::until("the writers write", || async { written.load(Ordering::Relaxed) > before + 50 }).await;
        let acknowledged = i64::try_from(written.load(Ordering::Relaxed)).expect("few");
        let clone = ProjectId::generate();
        home.node.ensure_database(&suite::clone_of(parent, clone)).await.expect("it is cloned");
        assert!(
            check_consistent(&home, clone).await >= acknowledged,
            "a write acknowledged before the clone began is missing"
        );
        clones.push(clone);
    }
    home.node.ensure_snapshot(parent, "under-load").await.expect("it is kept");
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.expect("no write failed");
    }
    home.node.prepare_reset(parent, "under-load").await.expect("prepares");
    home.node.swap_reset(parent).await.expect("swaps");
    home.node.ensure_database(&suite::new_database(parent)).await.expect("starts");
    check_consistent(&home, parent).await;
    for id in clones.into_iter().chain([parent]) {
        home.remove(id).await;
    }
    home.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clones_are_consistent_under_load() {
    clones_under_load(PoolChoice::Auto).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_copies_are_consistent_under_load() {
    clones_under_load(PoolChoice::Never).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_cloned_kept_and_reset_with_the_database() {
    let home = Home::new(PoolChoice::Auto).await;
    let (parent, _) = home.create().await;
    let storage = |id: ProjectId| home.node.socket_folder(id).parent().expect("it has one").join("storage");
    std::fs::create_dir_all(storage(parent).join("bucket")).expect("makes a folder");
    std::fs::write(storage(parent).join("bucket/object"), "first").expect("writes");
    let clone = ProjectId::generate();
    home.node.ensure_database(&suite::clone_of(parent, clone)).await.expect("it is cloned");
    home.node.ensure_snapshot(clone, "t0").await.expect("it is kept");
    std::fs::write(storage(clone).join("bucket/object"), "second").expect("writes");
    let read = |id: ProjectId| std::fs::read_to_string(storage(id).join("bucket/object")).expect("it is there");
    assert_eq!((read(parent), read(clone)), ("first".to_owned(), "second".to_owned()));
    home.node.prepare_reset(clone, "t0").await.expect("prepares");
    home.node.swap_reset(clone).await.expect("swaps");
    assert_eq!(read(clone), "first");
    home.node.cancel_reset(clone).await.expect("cancels");
    assert_eq!(read(clone), "second");
    home.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throw_away_clone_is_made_anew_when_the_machine_has_started_again() {
    let mut home = Home::new(PoolChoice::Auto).await;
    let (parent, _) = home.create().await;
    suite::Subject::put_mark(&home, parent, "before").await;
    let id = ProjectId::generate();
    let spec = DatabaseSpec { throw_away: true, ..suite::clone_of(parent, id) };
    home.node.ensure_database(&spec).await.expect("is made");
    let fsync: String = home.sql(id).await.query_one("show fsync", &[]).await.expect("answers").get(0);
    assert_eq!(fsync, "off");
    suite::Subject::put_mark(&home, parent, "later").await;
    home.node.ensure_database(&spec).await.expect("is there");
    assert_eq!(suite::Subject::marks(&home, id).await, ["before"], "it is there already");

    // As if it had been made before the machine lost power.
    home.node.stop_database(id).await.expect("stops");
    let record = home.data().join("projects").join(id.to_string()).join("project.json");
    let mut fields: Value = serde_json::from_slice(&fs::read(&record).expect("it has one")).expect("JSON");
    fields["throw_away"] = "another boot".into();
    fs::write(&record, fields.to_string()).expect("writable");
    home.reopen().await;
    home.node.ensure_database(&spec).await.expect("is made again");
    assert_eq!(suite::Subject::marks(&home, id).await, ["before", "later"]);
    home.end().await;
}
