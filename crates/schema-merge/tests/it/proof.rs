//! Plans that are run: the catalog they lead to must be the predicted one, and `pg_dump` must see no difference either.

use std::collections::BTreeMap;

use schema_merge::plan::{Plan, two_way};
use schema_merge::{Catalog, Kind, MergePlan, observer};

use crate::cluster::Cluster;
use crate::database::{apply, catalog, connect, describe, disconnected, try_run_as_developer};
use crate::{dump, laws};

/// Goes from one catalog to the other and back, planning again each time, and leaves no trace.
pub(crate) async fn there_and_back(cluster: &Cluster, database: &str, from: &Catalog, to: &Catalog) -> Vec<String> {
    let mut client = connect(cluster, database).await;
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
    disconnected(cluster, client, database).await;
    problems
}

fn merge_statements(plan: &MergePlan) -> Vec<(String, Option<String>)> {
    plan.statements.iter().map(|statement| (statement.sql.clone(), statement.role_hint.clone())).collect()
}

fn statements(plan: &Plan) -> Vec<(String, Option<String>)> {
    plan.steps.iter().map(|step| (step.sql.clone(), step.role.clone())).collect()
}

/// Runs a merge for good.
pub(crate) async fn apply_merge(cluster: &Cluster, database: &str, plan: &MergePlan) -> Result<(), String> {
    let mut client = connect(cluster, database).await;
    let transaction = client.transaction().await.map_err(|error| describe(&error))?;
    apply(&transaction, merge_statements(plan)).await?;
    transaction.commit().await.map_err(|error| describe(&error))
}

/// Brings the source to the result by another way; returns the database that then has it.
///
/// The target's own script, run behind the source's, is the best witness, since no plan has a hand in it. Where it cannot run
/// there, because both sides did the same for instance, a plan from the source to the result is the other way.
pub(crate) async fn replayed(
    cluster: &Cluster,
    source: &str,
    target_script: &str,
    ours: &Catalog,
    plan: &MergePlan,
) -> Result<String, String> {
    if try_run_as_developer(cluster, source, target_script).await.is_ok() {
        return Ok(source.to_owned());
    }
    let there = catalog(&connect(cluster, source).await).await;
    if there.hash() != ours.hash() {
        return Err("the target's script ran by half on the source; the case needs a merged.sql".to_owned());
    }
    let direct = two_way(&there, &plan.predicted);
    if !direct.unsupported.is_empty() {
        return Err(format!("no second way to the result: {:?}", direct.unsupported));
    }
    let mut client = connect(cluster, source).await;
    let transaction = client.transaction().await.map_err(|error| describe(&error))?;
    apply(&transaction, statements(&direct))
        .await
        .map_err(|error| format!("from the source to the result: {error}"))?;
    transaction.commit().await.map_err(|error| describe(&error))?;
    Ok(source.to_owned())
}

/// Compares a merged database with the prediction and with another database that should have the same schema.
pub(crate) async fn same_schema(cluster: &Cluster, merged: &str, other: &str, predicted: &Catalog) -> Vec<String> {
    let mut problems = Vec::new();
    for (database, what) in [(merged, "the merge"), (other, "the other way")] {
        let reached = catalog(&connect(cluster, database).await).await;
        if reached.hash() != predicted.hash() {
            let differences = predicted.differences(&reached).join("\n    ");
            problems.push(format!("{what} leads elsewhere (predicted, reached):\n    {differences}"));
        }
    }
    match tokio::join!(cluster.dump(merged), cluster.dump(other)) {
        (Ok(left), Ok(right)) => {
            let differences = dump::differences(&left, &right);
            if !differences.is_empty() {
                problems.push(format!("pg_dump disagrees (merged, other way):\n    {}", differences.join("\n    ")));
            }
        }
        (left, right) => problems.extend([left, right].into_iter().filter_map(Result::err)),
    }
    problems
}

/// What a second merge into the merged database would still do.
pub(crate) async fn repeated(cluster: &Cluster, database: &str, base: &Catalog, source: &Catalog) -> Option<String> {
    laws::repeated(base, &catalog(&connect(cluster, database).await).await, source)
}

/// What `pg_dump` saw changed and no changed fact explains, or the other way round.
pub(crate) async fn unexplained(
    cluster: &Cluster,
    database: &str,
    before: Result<String, String>,
    from: &Catalog,
    to: &Catalog,
) -> Vec<String> {
    match (before, cluster.dump(database).await) {
        (Ok(before), Ok(after)) => observer::disagreements(&before, &after, from, to)
            .into_iter()
            .map(|found| format!("second observer: {found}"))
            .collect(),
        (before, after) => [before, after].into_iter().filter_map(Result::err).collect(),
    }
}

/// How many rows each table of developers has.
pub(crate) async fn row_counts(cluster: &Cluster, database: &str) -> BTreeMap<u32, (String, i64)> {
    let query = "select c.oid, format('%I.%I', n.nspname, c.relname)
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema') and pg_relation_size(c.oid) > 0";
    let client = connect(cluster, database).await;
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
