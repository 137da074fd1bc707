//! Folders of cases: `base.sql` on all three sides, then `source.sql` and `target.sql` on theirs, and what the merge must say.
//! `BLESS=1` writes the verdicts as they are.

use std::path::{Path, PathBuf};

use schema_merge::plan::two_way;
use schema_merge::{Catalog, Kind, MergePlan, Snapshot, merge, render};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::database::{apply, catalog, connect, copy, describe, drop, prepare, run_as_developer, snapshot_of};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_merges_as_expected_and_the_plan_leads_where_it_says() {
    let cluster = Cluster::start().await;
    prepare(&cluster, "prelude").await;
    let only = std::env::var("CASE").ok();
    let mut failures = Vec::new();
    let mut count = 0;
    for folder in folders() {
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        count += 1;
        for problem in run_case(&cluster, &folder).await {
            failures.push(format!("{name}: {problem}"));
        }
    }
    println!("{count} cases");
    assert!(failures.is_empty(), "{} problem(s)\n{}", failures.len(), failures.join("\n"));
    assert!(only.is_some() || count >= 40, "only {count} cases");
}

fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases");
    let mut folders: Vec<_> = std::fs::read_dir(root)
        .expect("cases are in the repository")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

async fn run_case(cluster: &Cluster, folder: &Path) -> Vec<String> {
    let script = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    copy(cluster, "base", "prelude").await;
    run_as_developer(cluster, "base", &script("base.sql")).await;
    for side in ["target", "source"] {
        copy(cluster, side, "base").await;
        run_as_developer(cluster, side, &script(&format!("{side}.sql"))).await;
    }
    let base = snapshot_of(cluster, "base").await;
    let target = snapshot_of(cluster, "target").await;
    let source = snapshot_of(cluster, "source").await;
    let plan = merge(&base, &target, &source);
    let mut problems = verdict_problems(folder, &plan);
    if std::env::var("SHOW").is_ok() {
        println!("{}", render::rendered_sql(&plan, "now"));
    }
    problems.extend(laws(&base, &target, &source, &plan));
    if !plan.blocked() {
        let statements = plan.statements.iter().map(|statement| (statement.sql.clone(), statement.role_hint.clone()));
        problems.extend(proof(cluster, statements, &plan.predicted, "merge").await);
    }
    let direct = two_way(&target.catalog, &source.catalog);
    if direct.unsupported.is_empty() {
        let statements = direct.steps.iter().map(|step| (step.sql.clone(), step.role.clone()));
        problems.extend(proof(cluster, statements, &source.catalog, "two-way").await);
    }
    for name in ["source", "target", "base"] {
        drop(cluster, name).await;
    }
    problems
}

/// Runs the statements on the target, reads the catalog in the same transaction and takes everything back.
async fn proof(
    cluster: &Cluster,
    statements: impl Iterator<Item = (String, Option<String>)>,
    expected: &Catalog,
    what: &str,
) -> Vec<String> {
    let mut client = connect(cluster, "target").await;
    let transaction = client.transaction().await.expect("a transaction can begin");
    if let Err(error) = apply(&transaction, statements).await {
        return vec![format!("{what}: {error}")];
    }
    let reached = catalog(&transaction).await;
    if let Err(error) = transaction.rollback().await {
        return vec![format!("{what}: {}", describe(&error))];
    }
    if reached.hash() == expected.hash() {
        Vec::new()
    } else {
        vec![format!(
            "{what} leads elsewhere (predicted, reached):\n    {}",
            expected.differences(&reached).join("\n    ")
        )]
    }
}

fn verdict(plan: &MergePlan) -> Value {
    let name =
        |schema: &str, object: &str| if schema.is_empty() { object.to_owned() } else { format!("{schema}.{object}") };
    let changes: Vec<_> = plan
        .changes
        .iter()
        .map(|change| {
            let loss = if change.destructive { ", destructive" } else { "" };
            format!(
                "{} {} ({}{loss})",
                change.object.kind,
                name(&change.object.schema, &change.object.object),
                change.action.word()
            )
        })
        .collect();
    let conflicts: Vec<_> = plan
        .conflicts
        .iter()
        .map(|conflict| {
            format!(
                "{} {} {}",
                conflict.class,
                conflict.object.kind,
                name(&conflict.object.schema, &conflict.object.object)
            )
        })
        .collect();
    let unsupported: Vec<_> =
        plan.unsupported.iter().map(|entry| format!("{} {}", entry.kind, name(&entry.schema, &entry.name))).collect();
    let word = if !conflicts.is_empty() {
        "conflict"
    } else if !unsupported.is_empty() {
        "unsupported"
    } else {
        "clean"
    };
    json!({ "verdict": word, "changes": changes, "conflicts": conflicts, "unsupported": unsupported })
}

fn verdict_problems(folder: &Path, plan: &MergePlan) -> Vec<String> {
    let path = folder.join("expected.json");
    let seen = verdict(plan);
    if std::env::var("BLESS").is_ok() {
        let text = serde_json::to_string_pretty(&seen).expect("a verdict is plain JSON");
        std::fs::write(path, text + "\n").expect("a verdict can be written");
        return Vec::new();
    }
    let expected: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap_or_default()).unwrap_or_default();
    if expected == seen { Vec::new() } else { vec![format!("expected {expected}\n    but saw {seen}")] }
}

fn with_catalog(catalog: &Catalog) -> Snapshot {
    Snapshot { catalog: catalog.clone(), ..Snapshot::default() }
}

/// What must hold for any three catalogs.
fn laws(base: &Snapshot, target: &Snapshot, source: &Snapshot, plan: &MergePlan) -> Vec<String> {
    let mut broken = Vec::new();
    let mut law = |holds: bool, name: &str| {
        if !holds {
            broken.push(format!("broken law: {name}"));
        }
    };
    let [base, target, source] = [base, target, source].map(|side| with_catalog(&side.catalog));
    law(two_way(&target.catalog, &target.catalog).steps.is_empty(), "plan(X→X) is empty");
    let nothing = merge(&base, &target, &base);
    law(
        nothing.statements.is_empty() && nothing.predicted_hash == target.catalog.hash() && !nothing.blocked(),
        "merge(B,T,B)=T",
    );
    let fast_forward = merge(&base, &base, &source);
    law(fast_forward.blocked() || fast_forward.predicted_hash == source.catalog.hash(), "merge(B,B,S)=S");
    law(fast_forward.conflicts.is_empty(), "merge(B,B,S) has no conflict");
    let converged = merge(&base, &source, &source);
    law(converged.statements.is_empty() && !converged.blocked(), "merge(B,S,S)=S");
    let mirrored = merge(&base, &source, &target);
    let unmodelled = |side: &Snapshot| {
        side.catalog
            .iter()
            .filter(|fact| fact.kind == Kind::Unmodelled)
            .map(schema_merge::Fact::hash)
            .collect::<Vec<_>>()
    };
    let modelled = [&target, &source].iter().all(|side| unmodelled(side) == unmodelled(&base));
    law(
        !modelled || mirrored.blocked() == plan.blocked(),
        &format!("blocking is symmetric, but mirrored: {:?} {:?}", mirrored.conflicts, mirrored.unsupported),
    );
    if !plan.blocked() {
        if mirrored.unsupported.is_empty() {
            law(
                mirrored.predicted_hash == plan.predicted_hash || enums_differ(&mirrored.predicted, &plan.predicted),
                "merge(B,T,S) and merge(B,S,T) lead to the same",
            );
        }
        let again = merge(&base, &with_catalog(&plan.predicted), &source);
        law(again.statements.is_empty() && !again.blocked(), "merging twice is a no-op");
    }
    broken
}

/// Labels that both sides added at one place keep the target's order, and a comment keeps the target's text.
fn enums_differ(left: &Catalog, right: &Catalog) -> bool {
    left.differences(right).iter().all(|line| line.starts_with("~ enum:") || line.starts_with("~ comment:"))
}
