//! From merged facts and rows to the plan that is shown and run.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::CustomSql;
use super::describing;
use super::facts::{Disagreement, Merged};
use super::hazards;
use super::locks::lock_of;
use super::objects::{is_whole, object_of};
use super::options::Options;
use super::patch::Tree;
use super::renames::Aligned;
use super::segments::{Cut, Phases};
use super::undo::Restoring;
use crate::catalog::{Catalog, Fact, Identity, Kind};
use crate::extract::INTERNAL_SCHEMAS;
use crate::plan::{self, Step};
use crate::report::{
    Action, Change, Conflict, FactChange, Hazard, MergePlan, Object, ObjectType, Origin, Prediction, Severity, Side,
    Statement, Summary,
};
use crate::rows::{DEVELOPER_ROLE, RowsMerged};
use crate::snapshot::Snapshot;

/// What the plan is made for.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) options: &'a Options,
    /// It takes an earlier merge back.
    pub(super) restoring: Option<&'a Restoring<'a>>,
}

pub(super) fn put_together(
    target: &Snapshot,
    aligned: Aligned,
    mut merged: Merged,
    rows: RowsMerged,
    custom: Vec<CustomSql>,
    asked: &Asked<'_>,
) -> MergePlan {
    let options = asked.options;
    let data: Vec<Step> = rows.data.iter().map(|(step, _)| step.clone()).collect();
    let cut = Cut::make(target, &aligned, &merged.catalog, &data, asked);
    let from = &cut.from;
    let restored = asked.restoring.map(|restoring| restoring.begin(&aligned, from, &mut merged.catalog));
    let mut planned = match &restored {
        None => plan::keeping(from, &cut.to(&merged.catalog), &data, options.keep_in.as_deref()),
        Some(restored) => {
            let mut planned = plan::keeping(&restored.from, &restored.to, &data, options.keep_in.as_deref());
            planned.steps =
                restored.steps.iter().cloned().chain(restored.fill(planned.steps, &merged.catalog)).collect();
            planned.unsupported.extend(restored.unsupported.iter().cloned());
            planned
        }
    };
    if let Some(shadow) = &mut planned.shadow {
        shadow.under_former_names(&aligned.target_names);
    }
    let catalogs =
        [&merged.catalog, &aligned.target, &aligned.source, &aligned.base_of_target, &aligned.base_of_source];
    let mut data_objects = rows.data.iter().map(|(_, object)| object.clone());
    let mut named = |step: &Step| {
        let object = if step.data { data_objects.next() } else { None };
        (step.clone(), object.unwrap_or_else(|| object_of(&step.subject, &catalogs)))
    };
    let phases = Phases {
        early: cut.early().map(|steps| steps.iter().map(&mut named).collect()).collect(),
        labels: cut.labels.iter().map(&mut named).collect(),
        main: aligned.steps.iter().chain(&planned.steps).map(&mut named).collect(),
        late: cut.late().map(|step| named(&step)).collect(),
    };
    let all = phases.all();

    let mut changes = changes(&aligned, &merged.catalog, &all, &catalogs);
    changes.extend(rows.changes);
    let mut found = merged.hazards;
    found.extend(aligned.hazards.iter().cloned());
    found.extend(hazards::of_steps(&aligned, &all, planned.shadow.as_ref()));
    found.extend(rows.hazards);
    found.extend(phases.hazards());
    for sql in &custom {
        let detail = "SQL given by hand runs with the merge; only the rehearsal tells what it leads to";
        found.push(Hazard::new("data_statement", format!("conflict {}", sql.id), detail));
    }
    let mut seen = BTreeSet::new();
    found.retain(|hazard| seen.insert((hazard.id.clone(), hazard.detail.clone())));
    hazards::settle(&mut found, options);
    let mut conflicts = conflicts(&aligned, merged.disagreements, &catalogs);
    conflicts.extend(rows.conflicts);
    let mut unsupported = aligned.unsupported.clone();
    for entry in merged.unsupported.into_iter().chain(planned.unsupported).chain(rows.unsupported) {
        if !unsupported
            .iter()
            .any(|known| (&known.kind, &known.schema, &known.name) == (&entry.kind, &entry.schema, &entry.name))
        {
            unsupported.push(entry);
        }
    }
    let statements = statements(&aligned, phases, rows.statements, &custom);
    let count = |action: Action| changes.iter().filter(|change| change.action == action).count();
    let summary = Summary {
        added: count(Action::Add),
        modified: count(Action::Modify),
        conflicts: conflicts.len(),
        dropped: count(Action::Drop),
    };
    let (target_hash, predicted_hash) = (target.catalog.hash(), merged.catalog.hash());
    let rows_hash = target.rows_hash();
    let plan_hash = plan_hash([&target_hash, &rows_hash, &predicted_hash], &conflicts, &statements);
    let facts = fact_changes(&aligned, &merged.catalog, &catalogs);
    let restated = super::restated::restated(&aligned, &merged.catalog);
    let prediction = match (custom.is_empty(), restated.is_empty()) {
        (false, _) => Prediction::Rehearsed,
        (true, false) => Prediction::Restated,
        (true, true) => Prediction::Exact,
    };
    MergePlan {
        changes,
        conflicts,
        unsupported,
        hazards: found,
        segments: if statements.is_empty() {
            Vec::new()
        } else {
            cut.segments(&target_hash, &merged.catalog, &predicted_hash, &restated)
        },
        statements,
        summary,
        plan_hash,
        target_hash,
        predicted: merged.catalog,
        predicted_hash,
        prediction,
        restated,
        rows_hash,
        shadow: planned.shadow,
        facts,
    }
}

pub(crate) fn qualified(object: &Object) -> String {
    if object.schema.is_empty() { object.object.clone() } else { format!("{}.{}", object.schema, object.object) }
}

fn differs(left: Option<&Fact>, right: Option<&Fact>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => !left.says_the_same(right),
        (None, None) => false,
        _ => true,
    }
}

fn changes(aligned: &Aligned, merged: &Catalog, steps: &[(Step, Object)], catalogs: &[&Catalog]) -> Vec<Change> {
    let mut touched: BTreeMap<Object, (bool, bool)> = BTreeMap::new();
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
    let mut by_object: BTreeMap<&Object, Vec<&Step>> = BTreeMap::new();
    for (step, object) in steps.iter().filter(|(step, _)| !step.data) {
        by_object.entry(object).or_default().push(step);
    }
    touched
        .iter()
        .map(|(object, (added, dropped))| {
            let own = by_object.get(object).cloned().unwrap_or_default();
            // An internal table is always there, and only what developers have on it is a fact.
            let internal =
                INTERNAL_SCHEMAS.contains(&object.schema.as_str()) && object.object_type == ObjectType::Table;
            let action = match (added, dropped) {
                _ if internal => Action::Modify,
                (true, false) => Action::Add,
                (false, true) => Action::Drop,
                _ => Action::Modify,
            };
            let sql =
                own.iter().map(|step| format!("{};", crate::catalog::masked(&step.sql))).collect::<Vec<_>>().join("\n");
            Change { object: object.clone(), action, sql, destructive: own.iter().any(|step| step.destructive) }
        })
        .collect()
}

/// What either side changed, for the report.
fn fact_changes(aligned: &Aligned, merged: &Catalog, catalogs: &[&Catalog]) -> Vec<FactChange> {
    let all = [&aligned.base_of_target, &aligned.base_of_source, &aligned.target, &aligned.source];
    let identities: BTreeSet<&Identity> = all.into_iter().flat_map(Catalog::iter).map(|fact| &fact.identity).collect();
    let mut found = Vec::new();
    for identity in identities {
        let (their_base, theirs) = (aligned.base_of_target.get(identity), aligned.target.get(identity));
        let (our_base, ours) = (aligned.base_of_source.get(identity), aligned.source.get(identity));
        let (by_target, by_source) = (differs(their_base, theirs), differs(our_base, ours));
        let side = match (by_target, by_source) {
            (false, false) => continue,
            (true, false) => Side::Target,
            (false, true) => Side::Source,
            (true, true) if differs(theirs, ours) => Side::Mixed,
            (true, true) => Side::Both,
        };
        let (old, new) = if side == Side::Target { (their_base, theirs) } else { (our_base, ours) };
        let (action, fields) = match (old, new) {
            (None, _) => (Action::Add, Vec::new()),
            (_, None) => (Action::Drop, Vec::new()),
            (Some(old), Some(new)) => {
                let mut fields: Vec<String> = new
                    .fields
                    .iter()
                    .filter(|(name, value)| old.fields.get(*name) != Some(value))
                    .map(|(name, _)| name.clone())
                    .collect();
                if side == Side::Mixed
                    && let (Some(base), Some(theirs)) = (their_base, theirs)
                {
                    fields.extend(
                        theirs
                            .fields
                            .iter()
                            .filter(|(name, value)| base.fields.get(*name) != Some(value))
                            .map(|(name, _)| name.clone()),
                    );
                    fields.sort_unstable();
                    fields.dedup();
                }
                (Action::Modify, fields)
            }
        };
        let shown =
            !matches!(merged.get(identity).or(new).or(old).map(|fact| fact.kind), Some(Kind::Unmodelled) | None);
        if shown {
            found.push(FactChange {
                fact: identity.to_string(),
                object: object_of(identity, catalogs),
                side,
                action,
                fields,
            });
        }
    }
    found
}

fn conflicts(aligned: &Aligned, disagreements: Vec<Disagreement>, catalogs: &[&Catalog]) -> Vec<Conflict> {
    let mut all: BTreeMap<(Object, String), Disagreement> = BTreeMap::new();
    for disagreement in disagreements {
        let object = object_of(&disagreement.identity, catalogs);
        all.insert((object, disagreement.id()), disagreement);
    }
    if all.is_empty() {
        return Vec::new();
    }
    let [their_base, theirs, our_base, ours] =
        [&aligned.base_of_target, &aligned.target, &aligned.base_of_source, &aligned.source].map(Tree::of);
    let wanted: BTreeSet<Object> = all.keys().map(|(object, _)| object.clone()).collect();
    let [base, target, source] = [&aligned.base_of_target, &aligned.target, &aligned.source]
        .map(|catalog| object_hashes(catalog, &wanted, catalogs));
    all.into_iter()
        .map(|((object, id), found)| Conflict {
            parent_t0_hash: base.get(&object).cloned(),
            parent_now_hash: target.get(&object).cloned(),
            branch_now_hash: source.get(&object).cloned(),
            id,
            severity: Severity::Block,
            target_change: describing::change(&their_base, &theirs, &found),
            source_change: describing::change(&our_base, &ours, &found),
            dependents: describing::dependents(aligned, &found),
            resolutions: describing::suggestions(&found),
            hint: found.hint,
            class: found.class.to_owned(),
            fields: found.fields,
            object,
        })
        .collect()
}

/// Hash over all facts shown under each of these objects; an object without facts has none.
fn object_hashes(catalog: &Catalog, wanted: &BTreeSet<Object>, catalogs: &[&Catalog]) -> BTreeMap<Object, String> {
    let mut hashers: BTreeMap<Object, Sha256> = BTreeMap::new();
    if wanted.is_empty() {
        return BTreeMap::new();
    }
    for fact in catalog.iter() {
        let object = object_of(&fact.identity, catalogs);
        if wanted.contains(&object) {
            hashers.entry(object).or_default().update(fact.hash());
        }
    }
    hashers.into_iter().map(|(object, hasher)| (object, hex::encode(hasher.finalize()))).collect()
}

fn statement(sql: &str, origin: Origin, segment: u32) -> Statement {
    Statement { sql: sql.to_owned(), role_hint: None, origin, object: None, segment, lock: None }
}

fn statements(aligned: &Aligned, phases: Phases, rows: Vec<Statement>, custom: &[CustomSql]) -> Vec<Statement> {
    if phases.is_empty() && rows.is_empty() && custom.is_empty() {
        return Vec::new();
    }
    let Phases { early, labels, main, late } = phases;
    let settings = |out: &mut Vec<Statement>, segment: u32| {
        out.push(statement("set local check_function_bodies to off", Origin::Session, segment));
        out.push(statement("set local search_path to ''", Origin::Session, segment));
    };
    let mut out = Vec::new();
    let mut segment = 0;
    let of = |step: Step, object: Object, segment: u32| {
        let origin = if step.data { Origin::Data } else { Origin::Catalog };
        let exists = aligned.target.contains(&step.subject)
            || aligned.target.contains(&Identity::new(Kind::Table, step.subject.prefix()));
        let lock = lock_of(&step.sql).filter(|_| exists && !step.data).map(str::to_owned);
        Statement { sql: step.sql, role_hint: step.role, origin, object: Some(object), segment, lock }
    };
    for steps in early {
        out.extend(steps.into_iter().map(|(step, object)| of(step, object, segment)));
        segment += 1;
    }
    if !labels.is_empty() {
        settings(&mut out, segment);
        out.extend(labels.into_iter().map(|(step, object)| of(step, object, segment)));
        segment += 1;
    }
    settings(&mut out, segment);
    let mut in_data = false;
    let switch = |out: &mut Vec<Statement>, to_data: bool| {
        let sql = if to_data { "set local search_path to public" } else { "set local search_path to ''" };
        out.push(statement(sql, Origin::Session, segment));
    };
    for (step, object) in main {
        if step.data != in_data {
            switch(&mut out, step.data);
            in_data = step.data;
        }
        out.push(of(step, object, segment));
    }
    if !custom.is_empty() {
        if !in_data {
            switch(&mut out, true);
            in_data = true;
        }
        out.extend(custom.iter().map(|custom| Statement {
            role_hint: Some(DEVELOPER_ROLE.to_owned()),
            ..statement(custom.sql.trim().trim_end_matches(';'), Origin::Data, segment)
        }));
    }
    if in_data {
        switch(&mut out, false);
    }
    let (migrations, others): (Vec<_>, Vec<_>) = rows
        .into_iter()
        .map(|row| Statement { segment, ..row })
        .partition(|row| row.object.as_ref().is_some_and(|object| object.object_type == ObjectType::Migration));
    out.extend(migrations);
    out.extend(others);
    out.push(statement("notify pgrst, 'reload schema'", Origin::Session, segment));
    for (step, object) in late {
        segment += 1;
        out.push(of(step, object, segment));
    }
    out
}

/// Says what the plan starts from and leads to, and what it runs beside the catalog's own difference. Whether things are kept and
/// how the way is cut into transactions is no part of it, so a plan that was reviewed stays the same when it is run.
fn plan_hash(states: [&String; 3], conflicts: &[Conflict], statements: &[Statement]) -> String {
    let mut hasher = Sha256::new();
    for part in states.into_iter().chain(conflicts.iter().map(|conflict| &conflict.id)) {
        hasher.update(part);
        hasher.update([0]);
    }
    for statement in statements.iter().filter(|statement| matches!(statement.origin, Origin::Data | Origin::Rows)) {
        hasher.update(statement.role_hint.as_deref().unwrap_or_default());
        hasher.update([1]);
        hasher.update(&statement.sql);
        hasher.update([0]);
    }
    hex::encode(hasher.finalize())
}
