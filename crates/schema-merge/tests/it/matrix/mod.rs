//! Every kind of thing × what the branch did to it × what the parent did to it, with the verdict computed from the rules.
//!
//! Each pair lives in a schema of its own, so that thousands are made, read, merged and applied with a handful of databases.

mod kinds;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use schema_merge::{Base, Catalog, MergePlan, Options, Snapshot, merge_with};

use crate::cluster::Cluster;
use crate::database::{catalog, connect, copy, describe, prepare, run_as_developer};
use kinds::{KINDS, Subject};

/// What a side does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Nothing,
    /// Something beside it that has nothing to do with it.
    Unrelated,
    /// One field to one value.
    First,
    /// The same field to another value.
    FirstOtherwise,
    /// Another field.
    Second,
    Drop,
    Rename,
    RenameOtherwise,
    DropWhole,
    /// Something new that needs it.
    Dependent,
}

const DEEDS: [Deed; 10] = [
    Deed::Nothing,
    Deed::Unrelated,
    Deed::First,
    Deed::FirstOtherwise,
    Deed::Second,
    Deed::Drop,
    Deed::Rename,
    Deed::RenameOtherwise,
    Deed::DropWhole,
    Deed::Dependent,
];

/// What the rules say of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Clean,
    /// Clean, but neither side tried the result.
    Approval,
    Conflict(&'static str),
}

struct Pair {
    subject: &'static Subject,
    source: Deed,
    target: Deed,
    schema: String,
}

fn script(subject: &Subject, deed: Deed) -> Option<&'static str> {
    match deed {
        Deed::Nothing => Some(""),
        Deed::Unrelated => Some("create table {s}.beside (id integer);"),
        Deed::First => subject.first,
        Deed::FirstOtherwise => subject.first_otherwise,
        Deed::Second => subject.second,
        Deed::Drop => Some(subject.drop),
        Deed::Rename => subject.rename,
        Deed::RenameOtherwise => subject.rename_otherwise,
        Deed::DropWhole => subject.drop_whole,
        Deed::Dependent => subject.dependent.map(|dependent| dependent.sql),
    }
}

/// The verdict, from the rules of the taxonomy alone.
fn verdict(pair: &Pair) -> Verdict {
    use Deed::{
        Dependent, Drop, DropWhole, First, FirstOtherwise, Nothing, Rename, RenameOtherwise, Second, Unrelated,
    };
    let subject = pair.subject;
    let (ours, theirs) = (pair.source, pair.target);
    let either = |left: &[Deed], right: &[Deed]| {
        left.contains(&ours) && right.contains(&theirs) || left.contains(&theirs) && right.contains(&ours)
    };
    let changes = [First, FirstOtherwise, Second];
    // S1, S2, S3, S11: one side alone, or both alike.
    if ours == theirs || either(&[Nothing, Unrelated], &DEEDS) {
        return Verdict::Clean;
    }
    if either(&[Drop], &[DropWhole]) {
        return subject.drop_against_whole.map_or(Verdict::Clean, Verdict::Conflict);
    }
    if either(&[First], &[FirstOtherwise]) {
        return subject.clash.map_or(Verdict::Clean, Verdict::Conflict);
    }
    if either(&[First, FirstOtherwise], &[Second]) {
        return match subject.parts {
            kinds::Parts::Merge => Verdict::Clean,
            kinds::Parts::Untried => Verdict::Approval,
        };
    }
    if either(&changes, &[Drop]) {
        return subject.change_against_drop.map_or(Verdict::Clean, Verdict::Conflict);
    }
    if either(&changes, &[DropWhole]) {
        return subject.change_against_whole.map_or(Verdict::Clean, Verdict::Conflict);
    }
    if either(&[Rename], &[RenameOtherwise]) {
        return Verdict::Conflict("S17");
    }
    if either(&[Rename, RenameOtherwise], &[Drop, DropWhole]) {
        return Verdict::Conflict("S18");
    }
    if either(&[Rename, RenameOtherwise], &changes) {
        // What can only change by being made anew has lost its lineage: to the other side it is gone.
        let anew = if either(&[Second], &[Rename, RenameOtherwise]) { subject.second_anew } else { subject.first_anew };
        return if anew { Verdict::Conflict("S18") } else { Verdict::Clean };
    }
    if let Some(dependent) = subject.dependent {
        if either(&[Dependent], &[Drop, DropWhole]) {
            let alone = (dependent.dropped_by_target, dependent.dropped_by_source);
            let whole = dependent.of_whole.unwrap_or(alone);
            let (by_target, by_source) = if either(&[Dependent], &[Drop]) { alone } else { whole };
            return Verdict::Conflict(if theirs == Dependent { by_source } else { by_target });
        }
        if either(&[Dependent], &[First, FirstOtherwise]) {
            return dependent.against_change.map_or(Verdict::Clean, Verdict::Conflict);
        }
    }
    Verdict::Clean
}

fn pairs() -> Vec<Pair> {
    let only = std::env::var("MATRIX").ok();
    let mut pairs = Vec::new();
    for subject in KINDS.iter().filter(|subject| only.as_ref().is_none_or(|only| subject.name.contains(only.as_str())))
    {
        for source in DEEDS.into_iter().filter(|deed| script(subject, *deed).is_some()) {
            for target in DEEDS.into_iter().filter(|deed| script(subject, *deed).is_some()) {
                let schema = format!("pair{:05}", pairs.len());
                pairs.push(Pair { subject, source, target, schema });
            }
        }
    }
    pairs
}

/// Pairs of which one statement string, and with it one transaction, takes care: more would need more locks than there are.
const AT_ONCE: usize = 60;

async fn run_all(cluster: &Cluster, database: &str, pairs: &[Pair], text: impl Fn(&Pair) -> String) {
    let mut script = String::new();
    for chunk in pairs.chunks(AT_ONCE) {
        script += "begin;\n";
        for pair in chunk {
            script += &text(pair).replace("{s}", &pair.schema);
            script.push('\n');
        }
        script += "commit;\n-- next\n";
    }
    run_as_developer(cluster, database, &script).await;
}

/// The catalog of each pair by itself.
fn split(whole: &Catalog) -> BTreeMap<String, Catalog> {
    let mut parts: BTreeMap<String, Catalog> = BTreeMap::new();
    for fact in whole.iter() {
        let text = fact.identity.as_str();
        let Some(at) = text.find("pair") else { continue };
        let Some(schema) = text.get(at..at + 9) else { continue };
        parts.entry(schema.to_owned()).or_insert_with(|| Catalog::new(whole.server_version)).insert(fact.clone());
    }
    parts
}

fn snapshot(parts: &BTreeMap<String, Catalog>, schema: &str) -> Snapshot {
    Snapshot { catalog: parts.get(schema).cloned().unwrap_or_default(), ..Snapshot::default() }
}

fn judged(pair: &Pair, plan: &MergePlan) -> Result<(), String> {
    let expected = verdict(pair);
    let classes: BTreeSet<&str> = plan.conflicts.iter().map(|conflict| conflict.class.as_str()).collect();
    let approval = !plan.unapproved().is_empty();
    let right = plan.unsupported.is_empty()
        && match &expected {
            Verdict::Clean => classes.is_empty() && !approval,
            Verdict::Approval => classes.is_empty() && approval,
            Verdict::Conflict(class) => classes.len() == 1 && classes.contains(class),
        };
    if right {
        return Ok(());
    }
    let hints: Vec<&str> = plan.conflicts.iter().map(|conflict| conflict.hint.as_str()).collect();
    Err(format!(
        "the rules say {expected:?}, the engine {classes:?} {hints:?} unsupported {:?} unapproved {:?}",
        plan.unsupported,
        plan.unapproved().iter().map(|hazard| &hazard.detail).collect::<Vec<_>>()
    ))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_pair_of_changes_has_the_verdict_of_the_rules_and_clean_ones_lead_where_they_say() {
    let begin = Instant::now();
    let cluster = Cluster::start().await;
    prepare(&cluster, "base").await;
    let pairs = pairs();
    run_all(&cluster, "base", &pairs, |pair| format!("create schema {{s}};\n{}", pair.subject.base)).await;
    copy(&cluster, "target", "base").await;
    copy(&cluster, "source", "base").await;
    run_all(&cluster, "target", &pairs, |pair| script(pair.subject, pair.target).unwrap_or_default().to_owned()).await;
    run_all(&cluster, "source", &pairs, |pair| script(pair.subject, pair.source).unwrap_or_default().to_owned()).await;
    let mut read = Vec::new();
    for name in ["base", "target", "source"] {
        read.push(split(&catalog(&connect(&cluster, name).await).await));
    }
    println!("{} pairs made and read after {:?}", pairs.len(), begin.elapsed());

    let mut failures = Vec::new();
    let mut predicted = Vec::new();
    let client = connect(&cluster, "target").await;
    for pair in &pairs {
        let [base, target, source] = [0, 1, 2].map(|index| snapshot(&read[index], &pair.schema));
        let plan =
            merge_with(&Base::one(base), &target, &source, &Options::default()).expect("there are no resolutions");
        let name = format!("{}: branch {:?}, parent {:?}", pair.subject.name, pair.source, pair.target);
        if let Err(problem) = judged(pair, &plan) {
            failures.push(format!("{name}: {problem}"));
        }
        if plan.conflicts.is_empty() && plan.unsupported.is_empty() {
            match apply(&client, &plan).await {
                Ok(()) => predicted.push((name, pair.schema.clone(), plan.predicted)),
                Err(problem) => failures.push(format!("{name}: {problem}")),
            }
        }
    }
    let reached = split(&catalog(&client).await);
    for (name, schema, predicted) in &predicted {
        let there = reached.get(schema).cloned().unwrap_or_default();
        if there.hash() != predicted.hash() {
            failures.push(format!("{name}: predicted, reached:\n    {}", predicted.differences(&there).join("\n    ")));
        }
    }
    println!("{} pairs, {} applied, in {:?}", pairs.len(), predicted.len(), begin.elapsed());
    assert!(failures.is_empty(), "{} problem(s)\n{}", failures.len(), failures.join("\n"));
    assert!(std::env::var("MATRIX").is_ok() || pairs.len() >= 2000, "only {} pairs", pairs.len());
}

async fn apply(client: &tokio_postgres::Client, plan: &MergePlan) -> Result<(), String> {
    if plan.is_empty() {
        return Ok(());
    }
    let mut text = "begin;\n".to_owned();
    let mut role: Option<&str> = None;
    for statement in &plan.statements {
        if statement.role_hint.as_deref() != role {
            role = statement.role_hint.as_deref();
            text += &role.map_or_else(|| "reset role;\n".to_owned(), |role| format!("set local role {role};\n"));
        }
        text += &statement.sql;
        text += ";\n";
    }
    let ran = client.batch_execute(&format!("{text}reset role; commit")).await;
    if let Err(error) = ran {
        client.batch_execute("rollback; reset role").await.expect("a transaction can be ended");
        return Err(format!("{}\n  in: {text}", describe(&error)));
    }
    Ok(())
}
