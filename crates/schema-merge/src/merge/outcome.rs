//! From merged facts and rows to the plan that is shown and run.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::facts::{Disagreement, Merged};
use super::objects::{is_whole, object_of};
use super::renames::Aligned;
use crate::catalog::{Catalog, Fact};
use crate::plan::{self, Step};
use crate::report::{Action, Change, Conflict, Hazard, MergePlan, Object, ObjectType, Origin, Statement, Summary};
use crate::rows::RowsMerged;
use crate::snapshot::Snapshot;

pub(super) fn put_together(target: &Snapshot, aligned: Aligned, merged: Merged, rows: RowsMerged) -> MergePlan {
    let data: Vec<Step> = rows.data.iter().map(|(step, _)| step.clone()).collect();
    let planned = plan::with_data(&aligned.target, &merged.catalog, &data);
    let catalogs = [&merged.catalog, &aligned.target, &aligned.source, &aligned.base];
    let mut data_objects = rows.data.iter().map(|(_, object)| object.clone());
    let steps: Vec<(Step, Object)> = aligned
        .steps
        .iter()
        .chain(&planned.steps)
        .map(|step| {
            let object = if step.data { data_objects.next() } else { None };
            (step.clone(), object.unwrap_or_else(|| object_of(&step.subject, &catalogs)))
        })
        .collect();

    let mut changes = changes(&aligned, &merged.catalog, &steps, &catalogs);
    let mut hazards = merged.hazards;
    for (step, object) in steps.iter().filter(|(step, _)| step.destructive) {
        let object = format!("{} {}", object.kind, qualified(object));
        hazards.push(Hazard { class: "data_loss".to_owned(), object, detail: step.sql.clone() });
    }
    changes.extend(rows.changes);
    hazards.extend(rows.hazards);
    hazards.dedup();
    let mut conflicts = conflicts(&aligned, merged.disagreements, &catalogs);
    conflicts.extend(rows.conflicts);
    let mut unsupported = aligned.unsupported;
    for entry in merged.unsupported.into_iter().chain(planned.unsupported).chain(rows.unsupported) {
        if !unsupported
            .iter()
            .any(|known| (&known.kind, &known.schema, &known.name) == (&entry.kind, &entry.schema, &entry.name))
        {
            unsupported.push(entry);
        }
    }
    let statements = statements(steps, rows.statements);
    let count = |action: Action| changes.iter().filter(|change| change.action == action).count();
    let summary = Summary {
        added: count(Action::Add),
        modified: count(Action::Modify),
        conflicts: conflicts.len(),
        dropped: count(Action::Drop),
    };
    let (target_hash, predicted_hash) = (target.catalog.hash(), merged.catalog.hash());
    let plan_hash = plan_hash(&statements, &target_hash, &predicted_hash);
    MergePlan {
        changes,
        conflicts,
        unsupported,
        hazards,
        statements,
        summary,
        plan_hash,
        target_hash,
        predicted: merged.catalog,
        predicted_hash,
    }
}

pub(crate) fn qualified(object: &Object) -> String {
    if object.schema.is_empty() { object.object.clone() } else { format!("{}.{}", object.schema, object.object) }
}

fn changes(aligned: &Aligned, merged: &Catalog, steps: &[(Step, Object)], catalogs: &[&Catalog]) -> Vec<Change> {
    let mut touched: BTreeMap<Object, (bool, bool)> = BTreeMap::new();
    let differs = |left: Option<&Fact>, right: Option<&Fact>| match (left, right) {
        (Some(left), Some(right)) => !left.says_the_same(right),
        (None, None) => false,
        _ => true,
    };
    let identities: BTreeSet<_> = aligned.target.iter().chain(merged.iter()).map(|fact| &fact.identity).collect();
    for identity in identities {
        let (old, new) = (aligned.target.get(identity), merged.get(identity));
        if !differs(old, new) {
            continue;
        }
        let state = touched.entry(object_of(identity, catalogs)).or_default();
        if is_whole(identity, catalogs) {
            state.0 |= old.is_none();
            state.1 |= new.is_none();
        }
    }
    for step in &aligned.steps {
        touched.entry(object_of(&step.subject, catalogs)).or_default();
    }
    touched
        .into_iter()
        .map(|(object, (added, dropped))| {
            let own: Vec<_> =
                steps.iter().filter(|(step, of)| !step.data && *of == object).map(|(step, _)| step).collect();
            let action = match (added, dropped) {
                (true, false) => Action::Add,
                (false, true) => Action::Drop,
                _ => Action::Modify,
            };
            let sql = own.iter().map(|step| format!("{};", step.sql)).collect::<Vec<_>>().join("\n");
            Change { object, action, sql, destructive: own.iter().any(|step| step.destructive) }
        })
        .collect()
}

fn conflicts(aligned: &Aligned, disagreements: Vec<Disagreement>, catalogs: &[&Catalog]) -> Vec<Conflict> {
    let mut by_object: BTreeMap<Object, Vec<Disagreement>> = BTreeMap::new();
    let mut all = disagreements;
    all.sort_by(|left, right| left.identity.cmp(&right.identity));
    for disagreement in all {
        by_object.entry(object_of(&disagreement.identity, catalogs)).or_default().push(disagreement);
    }
    let [base, target, source] =
        [&aligned.base, &aligned.target, &aligned.source].map(|catalog| object_hashes(catalog, &by_object, catalogs));
    by_object
        .into_iter()
        .map(|(object, found)| {
            // What both sides did to the thing itself says more than what became impossible because of it.
            let class =
                found.iter().map(|entry| entry.class).max_by_key(|class| class.starts_with('S')).unwrap_or_default();
            Conflict {
                parent_t0_hash: base.get(&object).cloned(),
                parent_now_hash: target.get(&object).cloned(),
                branch_now_hash: source.get(&object).cloned(),
                hint: found.iter().map(|entry| entry.hint.clone()).collect::<Vec<_>>().join(" "),
                class: class.to_owned(),
                fields: found.into_iter().flat_map(|entry| entry.fields).collect(),
                object,
            }
        })
        .collect()
}

/// Hash over all facts shown under each of these objects; an object without facts has none.
fn object_hashes(
    catalog: &Catalog,
    wanted: &BTreeMap<Object, Vec<Disagreement>>,
    catalogs: &[&Catalog],
) -> BTreeMap<Object, String> {
    let mut hashers: BTreeMap<Object, Sha256> = BTreeMap::new();
    if wanted.is_empty() {
        return BTreeMap::new();
    }
    for fact in catalog.iter() {
        let object = object_of(&fact.identity, catalogs);
        if wanted.contains_key(&object) {
            hashers.entry(object).or_default().update(fact.hash());
        }
    }
    hashers.into_iter().map(|(object, hasher)| (object, hex::encode(hasher.finalize()))).collect()
}

fn statements(steps: Vec<(Step, Object)>, rows: Vec<Statement>) -> Vec<Statement> {
    if steps.is_empty() && rows.is_empty() {
        return Vec::new();
    }
    let session = |sql: &str| Statement { sql: sql.to_owned(), role_hint: None, origin: Origin::Session, object: None };
    let mut out = vec![session("set local check_function_bodies to off"), session("set local search_path to ''")];
    let mut in_data = false;
    for (step, object) in steps {
        if step.data != in_data {
            out.push(session(if step.data {
                "set local search_path to public"
            } else {
                "set local search_path to ''"
            }));
            in_data = step.data;
        }
        let origin = if step.data { Origin::Data } else { Origin::Catalog };
        out.push(Statement { sql: step.sql, role_hint: step.role, origin, object: Some(object) });
    }
    if in_data {
        out.push(session("set local search_path to ''"));
    }
    let (migrations, others): (Vec<_>, Vec<_>) = rows
        .into_iter()
        .partition(|row| row.object.as_ref().is_some_and(|object| object.object_type == ObjectType::Migration));
    out.extend(migrations);
    out.extend(others);
    out.push(session("notify pgrst, 'reload schema'"));
    out
}

fn plan_hash(statements: &[Statement], target_hash: &str, predicted_hash: &str) -> String {
    let mut hasher = Sha256::new();
    for part in [target_hash, predicted_hash] {
        hasher.update(part);
        hasher.update([0]);
    }
    for statement in statements {
        hasher.update(statement.role_hint.as_deref().unwrap_or_default());
        hasher.update([1]);
        hasher.update(&statement.sql);
        hasher.update([0]);
    }
    hex::encode(hasher.finalize())
}
