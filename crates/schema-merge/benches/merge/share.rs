//! On how many pairs of the corpus each engine's script leads where it should.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schema_merge::plan::two_way;

use crate::cluster::Cluster;
use crate::database::{apply, catalog, connect, copy, drop, try_run};
use crate::dump;
use crate::peers::Peer;

/// Prints the shares of one in so many cases.
pub(crate) async fn measure(cluster: &Arc<Cluster>, peers: &[Peer], one_in: usize) {
    let mut converged: BTreeMap<&str, (usize, Vec<String>)> = BTreeMap::new();
    let mut count = 0;
    for folder in folders().into_iter().step_by(one_in.max(1)) {
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if prepare(cluster, &folder).await.is_err() {
            continue;
        }
        let Ok(wanted) = cluster.dump("pair_source").await else { continue };
        count += 1;
        let mut note = |engine: &'static str, outcome: Result<(), String>| {
            let entry = converged.entry(engine).or_default();
            match outcome {
                Ok(()) => entry.0 += 1,
                Err(_) => entry.1.push(name.clone()),
            }
        };
        let ours = by_plan(cluster).await;
        note("this engine", arrived(cluster, ours, &wanted).await);
        for peer in peers {
            let outcome = match peer.script(cluster, "pair_target", "pair_source").await {
                Ok(script) => {
                    copy(cluster, "pair_try", "pair_target").await;
                    try_run(cluster, "pair_try", &script).await
                }
                Err(error) => Err(error),
            };
            note(peer.name, arrived(cluster, outcome, &wanted).await);
        }
    }
    println!("\n| engine | converges on | of | share |\n|---|---|---|---|");
    for (engine, (arrived, _)) in &converged {
        println!("| {engine} | {arrived} | {count} | {:.1} % |", 100.0 * *arrived as f64 / count.max(1) as f64);
    }
    for (engine, (_, failed)) in &converged {
        println!("{engine} misses: {}", failed.join(" "));
    }
}

fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut folders: Vec<_> = std::fs::read_dir(root)
        .expect("cases are in the repository")
        .flatten()
        .map(|entry| entry.path())
        // Where rows are in the way no engine can arrive.
        .filter(|path| {
            std::fs::read_to_string(path.join("expected.json")).is_ok_and(|text| !text.contains("\"fails\""))
        })
        .collect();
    folders.sort();
    folders
}

async fn prepare(cluster: &Cluster, folder: &Path) -> Result<(), String> {
    let script = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    for name in ["pair_try", "pair_source", "pair_target"] {
        drop(cluster, name).await;
    }
    copy(cluster, "pair_source", "prelude").await;
    as_developer(cluster, "pair_source", &script("base.sql")).await?;
    copy(cluster, "pair_target", "pair_source").await;
    as_developer(cluster, "pair_target", &script("target.sql")).await?;
    as_developer(cluster, "pair_source", &script("source.sql")).await
}

async fn as_developer(cluster: &Cluster, database: &str, script: &str) -> Result<(), String> {
    try_run(cluster, database, &format!("set role project_admin;\n-- next\n{script}")).await
}

async fn by_plan(cluster: &Cluster) -> Result<(), String> {
    let from = catalog(&connect(cluster, "pair_target").await).await;
    let to = catalog(&connect(cluster, "pair_source").await).await;
    let plan = two_way(&from, &to);
    if !plan.unsupported.is_empty() {
        return Err(format!("{:?}", plan.unsupported));
    }
    crate::database::closed(cluster, "pair_target").await;
    copy(cluster, "pair_try", "pair_target").await;
    let mut client = connect(cluster, "pair_try").await;
    let transaction = client.transaction().await.map_err(|error| error.to_string())?;
    apply(&transaction, plan.steps.iter().map(|step| (step.sql.clone(), step.role.clone())).collect::<Vec<_>>())
        .await?;
    transaction.commit().await.map_err(|error| error.to_string())
}

/// Whether the tried database looks like the wanted one; the try is then thrown away.
async fn arrived(cluster: &Cluster, outcome: Result<(), String>, wanted: &str) -> Result<(), String> {
    let reached = match outcome {
        Ok(()) => cluster.dump("pair_try").await,
        Err(error) => Err(error),
    };
    drop(cluster, "pair_try").await;
    crate::database::closed(cluster, "pair_target").await;
    let differences = dump::differences(&reached?, wanted);
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}
