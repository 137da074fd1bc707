//! Renames, read from lineage: the same object under another name.
//!
//! All three catalogs are rewritten to the final names before they are compared, so the merge itself knows nothing of renames.
//! Texts that Postgres printed are rewritten too. Where that rewriting is not exactly what Postgres will print, the fact only looks
//! changed and is made anew, which costs time and never correctness.

use std::collections::{BTreeMap, HashMap};

use super::facts::Disagreement;
use super::rewriting::rename;
use super::semantics::simple;
use crate::catalog::{Catalog, Fact, Identity, Kind};
use crate::plan::{Step, Unsupported};

/// The catalogs with final names, and the statements that give the target those names.
pub(super) struct Aligned {
    pub(super) base: Catalog,
    pub(super) target: Catalog,
    pub(super) source: Catalog,
    /// Renames to run on the target, each with the renamed fact's final identity.
    pub(super) steps: Vec<Step>,
    pub(super) disagreements: Vec<Disagreement>,
    pub(super) unsupported: Vec<Unsupported>,
}

/// Kinds in the order in which they are renamed: parts before the whole.
pub(super) const KINDS: [Kind; 9] = [
    Kind::Column,
    Kind::Constraint,
    Kind::Trigger,
    Kind::Policy,
    Kind::Index,
    Kind::Sequence,
    Kind::Enum,
    Kind::View,
    Kind::Table,
];

/// New last name by lineage.
type Wanted = BTreeMap<String, (Kind, String)>;

pub(super) fn align(base: &Catalog, target: &Catalog, source: &Catalog) -> Aligned {
    let mut aligned = Aligned {
        base: base.clone(),
        target: target.clone(),
        source: source.clone(),
        steps: Vec::new(),
        disagreements: Vec::new(),
        unsupported: Vec::new(),
    };
    let by_target = aligned.detect(base, target, false);
    let by_source = aligned.detect(base, source, true);
    let wanted = aligned.reconcile(base, target, source, by_target, by_source);
    if wanted.is_empty() {
        return aligned;
    }
    aligned.base = rename_all(&aligned.base, &wanted).0;
    aligned.source = rename_all(&aligned.source, &wanted).0;
    let (renamed, steps) = rename_all(&aligned.target, &wanted);
    aligned.target = renamed;
    aligned.steps = steps;
    aligned
}

fn lineages(catalog: &Catalog) -> HashMap<&str, &Fact> {
    catalog
        .iter()
        .filter(|fact| KINDS.contains(&fact.kind))
        .filter_map(|fact| Some((fact.lineage.object.as_deref()?, fact)))
        .collect()
}

/// A copy keeps oids; a database built another way does not, and its oids say nothing.
fn trustworthy(base: &Catalog, side: &Catalog) -> bool {
    let (mut same, mut other) = (0_usize, 0_usize);
    for old in
        base.iter().filter(|fact| matches!(fact.kind, Kind::Table | Kind::View | Kind::Sequence | Kind::Function))
    {
        if let Some(new) = side.get(&old.identity) {
            if old.lineage.object == new.lineage.object { same += 1 } else { other += 1 }
        }
    }
    same >= other
}

impl Aligned {
    fn detect(&mut self, base: &Catalog, side: &Catalog, by_source: bool) -> Wanted {
        if !trustworthy(base, side) {
            return Wanted::new();
        }
        let now = lineages(side);
        let mut wanted = Wanted::new();
        for (lineage, old) in lineages(base) {
            let Some(new) = now.get(lineage).filter(|new| new.kind == old.kind) else { continue };
            if whole(old.kind) && old.identity.prefix() != new.identity.prefix() {
                if by_source {
                    let reason = format!("it was moved to another schema: {} is now {}", old.identity, new.identity);
                    self.unsupported.push(Unsupported::about(&old.identity, reason));
                }
                continue;
            }
            if old.identity.last() == new.identity.last() {
                continue;
            }
            let taken = sibling(old, new.identity.last());
            if base.contains(&taken) {
                if by_source {
                    let reason =
                        format!("it was renamed to a name that another object had when the branch was made ({taken})");
                    self.unsupported.push(Unsupported::about(&old.identity, reason));
                }
                continue;
            }
            wanted.insert(lineage.to_owned(), (old.kind, new.identity.last().to_owned()));
        }
        wanted
    }

    fn reconcile(
        &mut self,
        base: &Catalog,
        target: &Catalog,
        source: &Catalog,
        by_target: Wanted,
        by_source: Wanted,
    ) -> Wanted {
        let (in_base, in_target, in_source) = (lineages(base), lineages(target), lineages(source));
        let mut wanted = by_target.clone();
        for (lineage, (kind, name)) in by_source {
            let Some(old) = in_base.get(lineage.as_str()) else { continue };
            if let Some((_, theirs)) = by_target.get(&lineage) {
                if *theirs != name {
                    let hint = format!(
                        "{} was renamed to {theirs} on the parent and to {name} on the branch. Choose one name on both sides.",
                        old.identity
                    );
                    self.disagreements.push(simple(&sibling(old, theirs), "S17", hint));
                }
                continue;
            }
            let Some(theirs) = in_target.get(lineage.as_str()) else {
                let gone = old
                    .parent
                    .as_ref()
                    .and_then(|table| base.get(table))
                    .and_then(|table| table.lineage.object.as_deref());
                if gone.is_none_or(|table| in_target.contains_key(table)) {
                    let hint = format!("The branch renamed {} to {name}; the parent dropped it.", old.identity);
                    self.disagreements.push(simple(&old.identity, "S18", hint));
                }
                continue;
            };
            let taken = sibling(theirs, &name);
            if target.contains(&taken) {
                let hint =
                    format!("The branch renamed {} to {name}, a name the parent gave to something else.", old.identity);
                self.disagreements.push(simple(&old.identity, "S19", hint));
                continue;
            }
            wanted.insert(lineage, (kind, name));
        }
        for (lineage, (_, name)) in &by_target {
            let Some(old) = in_base.get(lineage.as_str()) else { continue };
            if let Some(ours) = in_source.get(lineage.as_str()) {
                let taken = sibling(ours, name);
                if source.get(&taken).is_some_and(|other| other.lineage.object.as_deref() != Some(lineage)) {
                    let hint = format!(
                        "The parent renamed {} to {name}, a name the branch gave to something else.",
                        old.identity
                    );
                    self.disagreements.push(simple(&sibling(old, name), "S19", hint));
                }
            }
            let parent_gone = old
                .parent
                .as_ref()
                .and_then(|table| base.get(table))
                .and_then(|table| table.lineage.object.as_deref())
                .is_some_and(|table| !in_source.contains_key(table));
            if !in_source.contains_key(lineage.as_str()) && !parent_gone {
                let hint = format!("The parent renamed {} to {name}; the branch dropped it.", old.identity);
                self.disagreements.push(simple(&sibling(old, name), "S18", hint));
            }
        }
        wanted
    }
}

/// Whether it lives in a schema by itself.
fn whole(kind: Kind) -> bool {
    matches!(kind, Kind::Index | Kind::Sequence | Kind::Enum | Kind::View | Kind::Table)
}

fn sibling(fact: &Fact, last: &str) -> Identity {
    Identity::new(fact.kind, format!("{}.{last}", fact.identity.prefix()))
}

/// Gives a catalog the wanted names; returns the statements for what had to be renamed.
fn rename_all(catalog: &Catalog, wanted: &Wanted) -> (Catalog, Vec<Step>) {
    let mut current = catalog.clone();
    let mut steps = Vec::new();
    for kind in KINDS {
        let pending: Vec<(Fact, String)> = current
            .iter()
            .filter(|fact| fact.kind == kind)
            .filter_map(|fact| {
                let (_, name) = wanted.get(fact.lineage.object.as_deref()?)?;
                (fact.identity.last() != name).then(|| (fact.clone(), name.clone()))
            })
            .collect();
        for (fact, name) in pending {
            let new = sibling(&fact, &name);
            if current.contains(&new) {
                continue;
            }
            steps.push(Step {
                sql: statement(&fact, &name),
                role: fact.lineage.role.clone(),
                subject: new.clone(),
                destructive: false,
                data: false,
            });
            current = rename(&current, &fact, &new);
        }
    }
    // Steps of parts name the table as it still is; their subjects are looked up under its final name.
    for step in &mut steps {
        let lineage = catalog
            .iter()
            .find(|fact| fact.lineage.object.is_some() && statement(fact, step.subject.last()) == step.sql)
            .and_then(|fact| fact.lineage.object.clone());
        if let Some(found) = current.iter().find(|fact| fact.lineage.object == lineage && lineage.is_some()) {
            step.subject = found.identity.clone();
        }
    }
    (current, steps)
}

fn statement(fact: &Fact, name: &str) -> String {
    let (path, prefix, last) = (fact.identity.path(), fact.identity.prefix(), fact.identity.last());
    match fact.kind {
        Kind::Column => format!("alter table {prefix} rename column {last} to {name}"),
        Kind::Constraint => format!("alter table {prefix} rename constraint {last} to {name}"),
        Kind::Trigger => format!("alter trigger {last} on {prefix} rename to {name}"),
        Kind::Policy => format!("alter policy {last} on {prefix} rename to {name}"),
        Kind::Enum => format!("alter type {path} rename to {name}"),
        kind => format!("alter {} {path} rename to {name}", kind.word()),
    }
}
