//! Plans that are run: the catalog they lead to must be the predicted one, and `pg_dump` must see no difference either.

use std::collections::BTreeMap;

use schema_merge::plan::{Plan, two_way};
use schema_merge::{Catalog, Kind, MergePlan, observer};

use tokio_postgres::Client;

use crate::cluster::Cluster;
use crate::database::{apply, catalog, describe, try_as_developer};
use crate::dump;

/// What both observers see of a database.
pub(crate) struct Seen {
    pub(crate) catalog: Catalog,
    dump: Result<String, String>,
}

impl Seen {
    pub(crate) async fn of(cluster: &Cluster, database: &str, client: &Client) -> Self {
        let (catalog, dump) = tokio::join!(catalog(client), cluster.dump(database));
        Self { catalog, dump }
    }
}

/// Goes from one catalog to the other and back, planning again each time, and leaves no trace.
pub(crate) async fn there_and_back(client: &mut Client, from: &Catalog, to: &Catalog) -> Vec<String> {
    let transaction = client.transaction().await.expect("a transaction can begin");
    let mut problems = Vec::new();
    let mut now = from.clone();
    for (wanted, what) in [(to, "two-way"), (from, "two-way back")] {
        let plan = two_way(&now, wanted);
        if !plan.unsupported.is_empty() {
            break;
        }
        if let Err(error) = apply(&transaction, statements(&plan)).await {
            problems.push(format!("{what}: {error}"));
            break;
        }
        now = catalog(&transaction).await;
        if now.hash() != wanted.hash() {
            let differences = wanted.differences(&now).join("\n    ");
            problems.push(format!("{what} leads elsewhere (wanted, reached):\n    {differences}"));
            break;
        }
        let again = two_way(&now, wanted);
        if !again.steps.is_empty() {
            problems.push(format!("{what} does not converge: {:?}", again.steps));
        }
    }
    if let Err(error) = transaction.rollback().await {
        problems.push(format!("rollback: {}", describe(&error)));
    }
    problems
}

fn merge_statements(plan: &MergePlan) -> Vec<(String, Option<String>)> {
    plan.statements.iter().map(|statement| (statement.sql.clone(), statement.role_hint.clone())).collect()
}

fn statements(plan: &Plan) -> Vec<(String, Option<String>)> {
    plan.steps.iter().map(|step| (step.sql.clone(), step.role.clone())).collect()
}

/// Runs a merge for good.
pub(crate) async fn apply_merge(client: &mut Client, plan: &MergePlan) -> Result<(), String> {
    for_good(client, merge_statements(plan)).await
}

/// Runs a plan for good.
pub(crate) async fn apply_plan(client: &mut Client, plan: &Plan) -> Result<(), String> {
    for_good(client, statements(plan)).await
}

async fn for_good(client: &mut Client, statements: Vec<(String, Option<String>)>) -> Result<(), String> {
    let transaction = client.transaction().await.map_err(|error| describe(&error))?;
    apply(&transaction, statements).await?;
    transaction.commit().await.map_err(|error| describe(&error))
}

/// Brings the source to the result by another way.
///
/// The target's own script, run behind the source's, is the best witness, since no plan has a hand in it. Where it cannot run
/// there, because both sides did the same for instance, a plan from the source to the result is the other way.
pub(crate) async fn replayed(
    source: &mut Client,
    target_script: &str,
    ours: &Catalog,
    plan: &MergePlan,
) -> Result<(), String> {
    if try_as_developer(source, target_script).await.is_ok() {
        return Ok(());
    }
    let there = catalog(source).await;
    if there.hash() != ours.hash() {
        return Err("the target's script ran by half on the source; the case needs a merged.sql".to_owned());
    }
    let direct = two_way(&there, &plan.predicted);
    if !direct.unsupported.is_empty() {
        return Err(format!("no second way to the result: {:?}", direct.unsupported));
    }
    apply_plan(source, &direct).await.map_err(|error| format!("from the source to the result: {error}"))
}

/// Compares a merged database with the prediction and, where there is one, with another database that should have the same schema.
pub(crate) fn same_schema(merged: &Seen, other: Option<&Seen>, plan: &MergePlan) -> Vec<String> {
    let mut problems = Vec::new();
    let predicted = plan.predicted.leaving_texts(&plan.restated);
    for (reached, what) in [(Some(merged), "the merge"), (other, "the other way")] {
        let Some(Seen { catalog: reached, .. }) = reached else { continue };
        let reached = reached.leaving_texts(&plan.restated);
        if reached.hash() != predicted.hash() {
            let differences = predicted.differences(&reached).join("\n    ");
            problems.push(format!("{what} leads elsewhere (predicted, reached):\n    {differences}"));
        }
    }
    let Some(other) = other else { return problems };
    match (&merged.dump, &other.dump) {
        (Ok(left), Ok(right)) => {
            let differences = dump::differences(left, right);
            if !differences.is_empty() {
                problems.push(format!("pg_dump disagrees (merged, other way):\n    {}", differences.join("\n    ")));
            }
        }
        (left, right) => problems.extend([left, right].into_iter().filter_map(|dump| dump.clone().err())),
    }
    problems
}

/// What `pg_dump` saw changed and no changed fact explains, or the other way round.
pub(crate) fn unexplained(
    before: &Result<String, String>,
    after: &Seen,
    from: &Catalog,
    plan: &MergePlan,
) -> Vec<String> {
    // What only Postgres could print is as it printed it.
    let mut predicted = plan.predicted.clone();
    for fact in plan.restated.iter().filter_map(|identity| after.catalog.get(identity)) {
        predicted.insert(fact.clone());
    }
    match (before, &after.dump) {
        (Ok(before), Ok(after)) => observer::disagreements(before, after, from, &predicted)
            .into_iter()
            .map(|found| format!("second observer: {found}"))
            .collect(),
        (before, after) => [before, after].into_iter().filter_map(|dump| dump.clone().err()).collect(),
    }
}

/// How many rows each table of developers has.
pub(crate) async fn row_counts(client: &Client) -> BTreeMap<u32, (String, i64)> {
    let query = "select c.oid, format('%I.%I', n.nspname, c.relname)
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema') and pg_relation_size(c.oid) > 0";
    let mut counts = BTreeMap::new();
    for row in client.query(query, &[]).await.expect("tables can be listed") {
        let (oid, name): (u32, String) = (row.get(0), row.get(1));
        let count =
            client.query_one(&format!("select count(*) from only {name}"), &[]).await.expect("rows can be counted");
        counts.insert(oid, (name, count.get(0)));
    }
    counts
}

/// Tables that the merge keeps and that have fewer rows than before.
pub(crate) fn lost_rows(
    before: &BTreeMap<u32, (String, i64)>,
    after: &BTreeMap<u32, (String, i64)>,
    plan: &MergePlan,
) -> Vec<String> {
    let destructive = plan.changes.iter().any(|change| change.destructive);
    before
        .iter()
        .filter(|(oid, (_, count))| after.get(oid).map_or(0, |(_, left)| *left) < *count)
        .filter(|(oid, (name, _))| {
            let kept = plan.predicted.iter().any(|fact| fact.kind == Kind::Table && fact.identity.path() == name);
            kept && (!destructive || after.contains_key(oid))
        })
        .map(|(_, (name, count))| format!("{name} had {count} rows and lost some"))
        .collect()
}
