//! A pair is made, merged and proved.

use std::fmt;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use schema_merge::Catalog;
use schema_merge::plan::two_way;
use tokio_postgres::Client;

use super::edits::Editor;
use super::inventory::Inventory;
use super::watch::Watch;
use crate::cluster::Cluster;
use crate::database::{catalog, connect, copy, disconnected, drop, merged, with_catalog};
use crate::{laws, proof};

/// Edits that were made, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Pair {
    /// What the generator was seeded with.
    pub(super) seed: u64,
    pub(super) base: Vec<String>,
    pub(super) target: Vec<String>,
    pub(super) source: Vec<String>,
    /// The sides worked in different schemas between which nothing goes.
    pub(super) disjoint: bool,
    /// Name of the database that the base begins as a copy of.
    pub(super) foundation: String,
}

/// What became of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Clean,
    Conflict,
    Unsupported,
}

/// What became of many.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) clean: u64,
    pub(super) conflicts: u64,
    unsupported: u64,
    edits: u64,
}

impl Tally {
    pub(super) fn add(&mut self, pair: &Pair, outcome: Outcome) {
        self.edits += (pair.base.len() + pair.target.len() + pair.source.len()) as u64;
        match outcome {
            Outcome::Clean => self.clean += 1,
            Outcome::Conflict => self.conflicts += 1,
            Outcome::Unsupported => self.unsupported += 1,
        }
    }

    pub(super) fn join(&mut self, other: Self) {
        self.clean += other.clean;
        self.conflicts += other.conflicts;
        self.unsupported += other.unsupported;
        self.edits += other.edits;
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (side, edits) in [("base", &self.base), ("source", &self.source), ("target", &self.target)] {
            writeln!(out, "  {side}:")?;
            for edit in edits {
                writeln!(out, "    {edit};")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clean, conflicts, unsupported, edits } = self;
        write!(out, "{clean} clean, {conflicts} in conflict, {unsupported} unsupported, {edits} edits")
    }
}

fn databases(worker: usize) -> [String; 2] {
    [format!("random{worker}"), format!("other{worker}")]
}

/// How many edits a pair is made of: for the base and for each side.
pub(super) struct Sizes {
    pub(super) base: std::ops::Range<usize>,
    pub(super) side: std::ops::Range<usize>,
}

/// Makes edits on a copy of the foundation; the database is left with the base in it.
pub(super) async fn generate(cluster: &Cluster, worker: usize, seed: u64, foundation: &str, sizes: &Sizes) -> Pair {
    let (pair, client) = made(cluster, worker, seed, foundation, sizes).await;
    disconnected(cluster, client, &databases(worker)[0]).await;
    pair
}

/// Makes a pair, merges it and looks whether every law holds.
pub(super) async fn generate_and_check(
    cluster: &Cluster,
    worker: usize,
    seed: u64,
    foundation: &str,
    sizes: &Sizes,
) -> (Pair, Vec<String>, Outcome) {
    let (pair, client) = made(cluster, worker, seed, foundation, sizes).await;
    let (problems, outcome) = check_on(cluster, worker, &pair, client).await;
    (pair, problems, outcome)
}

async fn made(cluster: &Cluster, worker: usize, seed: u64, foundation: &str, sizes: &Sizes) -> (Pair, Client) {
    let [database, _] = databases(worker);
    let _watch = Watch::over(cluster, format!("making the pair of seed {seed} on {foundation}"));
    fresh(cluster, &database, foundation).await;
    let mut rng = StdRng::seed_from_u64(seed);
    let disjoint = !sizes.base.is_empty() && rng.random_bool(0.25);
    let mut pair = Pair { seed, disjoint, foundation: foundation.to_owned(), ..Pair::default() };
    let mut client = connect(cluster, &database).await;
    let mut size = |range: &std::ops::Range<usize>| if range.is_empty() { 0 } else { rng.random_range(range.clone()) };
    let (base, target, source) = (size(&sizes.base), size(&sizes.side), size(&sizes.side));
    let [left, right] = if disjoint { ["\"left\"", "\"right\""] } else { ["", ""] };
    if disjoint {
        pair.base = [left, right].map(|schema| format!("create schema {schema}")).to_vec();
        perform(&client, &pair.base).await;
        pair.base.extend(some(&client, &mut rng, base, right).await);
    }
    pair.base.extend(some(&client, &mut rng, base, left).await);
    let transaction = client.transaction().await.expect("a transaction can begin");
    pair.target = some(&transaction, &mut rng, target, left).await;
    transaction.rollback().await.expect("a transaction can be taken back");
    let transaction = client.transaction().await.expect("a transaction can begin");
    pair.source = some(&transaction, &mut rng, source, right).await;
    transaction.rollback().await.expect("a transaction can be taken back");
    (pair, client)
}

async fn fresh(cluster: &Cluster, database: &str, foundation: &str) {
    drop(cluster, database).await;
    copy(cluster, database, foundation).await;
}

/// Makes edits until so many could be made, or four times as many were tried.
async fn some(client: &impl tokio_postgres::GenericClient, rng: &mut StdRng, count: usize, scope: &str) -> Vec<String> {
    let in_transaction = client.batch_execute("savepoint before").await.is_ok();
    let mut made = Vec::new();
    let mut there = Inventory::read(client).await;
    for attempt in 0..count * 4 {
        if made.len() == count {
            break;
        }
        if attempt % 3 == 0 {
            there = Inventory::read(client).await;
        }
        let Some(edit) = (Editor { rng, there: &there, scope }).next() else { continue };
        if try_edit(client, &edit, in_transaction).await {
            made.push(edit);
        }
    }
    made
}

/// Runs one edit as the developer, or takes it back as a whole.
async fn try_edit(client: &impl tokio_postgres::GenericClient, edit: &str, in_transaction: bool) -> bool {
    let whole = format!("set role project_admin; set search_path = public; {edit}; reset role");
    if !in_transaction {
        let done = client.batch_execute(&whole).await.is_ok();
        if !done {
            client.batch_execute("reset role").await.expect("a role can be reset");
        }
        return done;
    }
    client.batch_execute("savepoint edit").await.expect("a savepoint can be made");
    let done = client.batch_execute(&whole).await.is_ok();
    let after = if done { "release savepoint edit" } else { "rollback to savepoint edit; release savepoint edit" };
    client.batch_execute(after).await.expect("a savepoint can be left");
    done
}

async fn perform(client: &impl tokio_postgres::GenericClient, edits: &[String]) {
    let in_transaction = client.batch_execute("savepoint before").await.is_ok();
    for edit in edits {
        try_edit(client, edit, in_transaction).await;
    }
}

/// Merges the pair and looks whether every law holds.
pub(super) async fn check(cluster: &Cluster, worker: usize, pair: &Pair) -> (Vec<String>, Outcome) {
    let [database, _] = databases(worker);
    fresh(cluster, &database, &pair.foundation).await;
    let client = connect(cluster, &database).await;
    perform(&client, &pair.base).await;
    check_on(cluster, worker, pair, client).await
}

/// Merges the pair in a database that has its base.
async fn check_on(cluster: &Cluster, worker: usize, pair: &Pair, mut client: Client) -> (Vec<String>, Outcome) {
    let [database, other] = databases(worker);
    let _watch = Watch::over(cluster, format!("checking the pair of seed {}\n{pair}", pair.seed));
    let base = catalog(&client).await;
    let transaction = client.transaction().await.expect("a transaction can begin");
    perform(&transaction, &pair.source).await;
    let source = catalog(&transaction).await;
    transaction.rollback().await.expect("a transaction can be taken back");
    let transaction = client.transaction().await.expect("a transaction can begin");
    perform(&transaction, &pair.target).await;
    transaction.commit().await.expect("edits can be committed");
    let target = catalog(&client).await;

    let plan = merged(&with_catalog(&base), &with_catalog(&target), &with_catalog(&source));
    let mut problems = laws::broken(&base, &target, &source, &plan);
    problems.extend(proof::there_and_back(&mut client, &target, &source).await);
    let outcome = match (plan.conflicts.is_empty(), plan.unsupported.is_empty()) {
        (true, true) => Outcome::Clean,
        (false, _) => Outcome::Conflict,
        (true, false) => Outcome::Unsupported,
    };
    if pair.disjoint && outcome == Outcome::Conflict {
        problems.push(format!("disjoint edits never conflict, but {:?}", plan.conflicts));
    }
    if outcome == Outcome::Clean {
        let before = cluster.dump(&database).await;
        match proof::apply_merge(&mut client, &plan).await {
            Err(error) => problems.push(format!("merge: {error}")),
            Ok(()) => match the_other_way(cluster, &other, pair, &plan.predicted).await {
                Ok(by_another_way) => {
                    let reached = proof::Seen::of(cluster, &database, &client).await;
                    problems.extend(proof::same_schema(&reached, by_another_way.as_ref(), &plan));
                    problems.extend(proof::unexplained(&before, &reached, &target, &plan));
                    // What was printed otherwise is what both sides added differently, as long as the base stays where it is.
                    if plan.restated.is_empty() {
                        problems.extend(laws::repeated(&base, &reached.catalog, &source));
                    }
                }
                Err(error) => problems.push(error),
            },
        }
    } else if catalog(&client).await.hash() != target.hash() {
        problems.push("a plan that was taken back left something behind".to_owned());
    }
    (problems, outcome)
}

/// Builds base and source anew elsewhere and goes from there to the merged catalog.
async fn the_other_way(
    cluster: &Cluster,
    database: &str,
    pair: &Pair,
    wanted: &Catalog,
) -> Result<Option<proof::Seen>, String> {
    fresh(cluster, database, &pair.foundation).await;
    let mut client = connect(cluster, database).await;
    perform(&client, &pair.base).await;
    perform(&client, &pair.source).await;
    let source = catalog(&client).await;
    let plan = two_way(&source, wanted);
    if !plan.unsupported.is_empty() {
        // What the target did by dropping and making again, no plan does from the source.
        return Ok(None);
    }
    proof::apply_plan(&mut client, &plan).await.map_err(|error| format!("from the source to the result: {error}"))?;
    Ok(Some(proof::Seen::of(cluster, database, &client).await))
}
