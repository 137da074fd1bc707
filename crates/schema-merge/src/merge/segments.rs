//! Cutting a plan into what is committed apart.
//!
//! Postgres does not let a transaction use an enum label that it added. Such labels are added in a segment of their own, under the names
//! that the target has; everything else follows in another, but for what is built or validated while writers go on ([`concurrent`]). Any may
//! be repeated: each starts from a known catalog.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

use super::concurrent::{self, Concurrent};
use super::outcome::Asked;
use super::renames::Aligned;
use crate::catalog::{Catalog, Fact, Identity, Kind};
use crate::ddl;
use crate::plan::Step;
use crate::report::{Hazard, Object, Segment};
use crate::snapshot::Snapshot;

/// How a plan is cut.
pub(super) struct Cut {
    concurrent: Concurrent,
    /// Steps that add labels.
    pub(super) labels: Vec<Step>,
    /// What the main segment starts from, under final names.
    pub(super) from: Catalog,
    /// Hashes that the segments before the main one lead to.
    reached: Vec<String>,
}

impl Cut {
    pub(super) fn make(
        target: &Snapshot,
        aligned: &Aligned,
        merged: &Catalog,
        data: &[Step],
        asked: &Asked<'_>,
    ) -> Self {
        let mut cut = Self {
            concurrent: Concurrent::default(),
            labels: Vec::new(),
            from: aligned.target.clone(),
            reached: Vec::new(),
        };
        if !asked.options.segments {
            return cut;
        }
        let mut own = Cow::Borrowed(&target.catalog);
        if asked.restoring.is_none() {
            cut.concurrent = Concurrent::choose(&own, aligned, merged, &asked.options.large_tables, !data.is_empty());
        }
        for index in &cut.concurrent.early {
            own.to_mut().insert(index.clone());
            cut.from.insert(index.clone());
            cut.reached.push(own.hash());
        }
        if !cut.concurrent.constraints.is_empty() {
            let added: Vec<Fact> = cut.concurrent.constraints.iter().map(concurrent::not_valid).collect();
            for states in [&added, &cut.concurrent.constraints] {
                states.iter().for_each(|state| own.to_mut().insert(state.clone()));
                cut.reached.push(own.hash());
            }
            cut.concurrent.constraints.iter().for_each(|constraint| cut.from.insert(constraint.clone()));
        }
        if let Some(first) = first(&own, &cut.from, aligned, merged, data) {
            cut.reached.push(first.catalog.hash());
            (cut.labels, cut.from) = (first.steps, first.aligned);
        }
        cut
    }

    /// What is built and validated before the rest, by segment.
    pub(super) fn early(&self) -> impl Iterator<Item = Vec<Step>> {
        let constraints = concurrent::constraint_steps(&self.concurrent.constraints);
        let indexes = self.concurrent.early.iter().map(|index| vec![concurrent::step(index)]);
        indexes.chain(constraints).filter(|steps| !steps.is_empty())
    }

    /// What is built concurrently after the rest.
    pub(super) fn late(&self) -> impl Iterator<Item = Step> {
        self.concurrent.late.iter().map(concurrent::step)
    }

    /// What the main segment leads to.
    pub(super) fn to<'a>(&self, merged: &'a Catalog) -> Cow<'a, Catalog> {
        let mut to = Cow::Borrowed(merged);
        for index in &self.concurrent.late {
            to.to_mut().remove(&index.identity);
        }
        to
    }

    /// The way from the target to what is merged, whose hashes are known, but for texts that are restated.
    pub(super) fn segments(
        &self,
        target_hash: &str,
        merged: &Catalog,
        predicted_hash: &str,
        restated: &BTreeSet<Identity>,
    ) -> Vec<Segment> {
        let mut expected_hash = target_hash.to_owned();
        let mut segments: Vec<Segment> = Vec::new();
        let indexes = self.concurrent.early.len();
        let early = self.early().count();
        let mut add = |predicted_hash: String, concurrent: bool, restated: &BTreeSet<Identity>| {
            let expected_hash = std::mem::replace(&mut expected_hash, predicted_hash.clone());
            let (position, restated) = (segments.len(), restated.clone());
            let (number, early) = (u32::try_from(position).unwrap_or(u32::MAX), !concurrent && position < early);
            segments.push(Segment { number, expected_hash, predicted_hash, concurrent, early, restated });
        };
        for (position, hash) in self.reached.iter().enumerate() {
            add(hash.clone(), position < indexes, &BTreeSet::new());
        }
        let mut catalog = self.to(merged);
        if self.concurrent.late.is_empty() && restated.is_empty() {
            add(predicted_hash.to_owned(), false, restated);
        } else {
            add(catalog.leaving_texts(restated).hash(), false, restated);
        }
        for index in &self.concurrent.late {
            catalog.to_mut().insert(index.clone());
            add(catalog.leaving_texts(restated).hash(), true, restated);
        }
        segments
    }
}

/// The steps of a plan with what each is shown under, in the order in which they run.
pub(super) struct Phases {
    pub(super) early: Vec<Vec<(Step, Object)>>,
    pub(super) labels: Vec<(Step, Object)>,
    pub(super) main: Vec<(Step, Object)>,
    pub(super) late: Vec<(Step, Object)>,
}

impl Phases {
    pub(super) fn all(&self) -> Vec<(Step, Object)> {
        let rest = [&self.labels, &self.main, &self.late];
        self.early.iter().chain(rest).flatten().cloned().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.early.is_empty() && [&self.labels, &self.main, &self.late].into_iter().all(Vec::is_empty)
    }

    /// What is committed apart from the rest.
    pub(super) fn hazards(&self) -> Vec<Hazard> {
        let texts =
            |steps: &[(Step, Object)]| steps.iter().map(|(step, _)| step.sql.clone()).collect::<Vec<_>>().join("; ");
        let hazard = |object: &str, when: &str, steps: &[(Step, Object)]| {
            (!steps.is_empty()).then(|| Hazard::new("non_transactional", object, format!("{when}: {}", texts(steps))))
        };
        let mut found = Vec::new();
        found.extend(hazard("before", "built or validated before the rest, while writers go on", &self.early.concat()));
        found.extend(hazard("segment 0", "committed before the rest", &self.labels).map(|hazard| hazard.rule("C10")));
        found.extend(hazard("after", "built after the rest, while writers go on", &self.late));
        found
    }
}

/// The labels to be added first, and the catalog they lead to.
struct First {
    steps: Vec<Step>,
    /// The target with them, under its own names.
    catalog: Catalog,
    /// The target with them, under final names.
    aligned: Catalog,
}

/// `target` and `from` are the same catalog, under its own names and under final ones.
fn first(target: &Catalog, from: &Catalog, aligned: &Aligned, merged: &Catalog, data: &[Step]) -> Option<First> {
    let used = used_at_once(from, merged, data);
    let mut first = First { steps: Vec::new(), catalog: target.clone(), aligned: from.clone() };
    for identity in used {
        let (Some(old), Some(new)) = (from.get(&identity), merged.get(&identity)) else { continue };
        let original = original(aligned, &identity);
        let Some(own) = target.get(&original).filter(|own| own.kind == Kind::Enum) else { continue };
        // Where labels are renamed too, positions are named by labels that do not exist yet.
        if own.list("labels") != old.list("labels") {
            continue;
        }
        let labels: Vec<&str> = new.list("labels");
        let Some(additions) = ddl::enum_additions(&original, &own.list("labels"), &labels) else { continue };
        let mut with = own.clone();
        with.fields.insert("labels".to_owned(), labels.into());
        first.catalog.insert(with);
        let mut with = old.clone();
        with.fields.insert("labels".to_owned(), new.fields.get("labels").cloned().unwrap_or_default());
        let role = old.lineage.role.clone();
        first.aligned.insert(with);
        first.steps.extend(additions.into_iter().map(|sql| Step {
            sql,
            role: role.clone(),
            subject: identity.clone(),
            destructive: false,
            data: false,
        }));
    }
    (!first.steps.is_empty()).then_some(first)
}

/// Enums with new labels that a statement of the same plan uses.
fn used_at_once(from: &Catalog, to: &Catalog, data: &[Step]) -> Vec<Identity> {
    let mut found = Vec::new();
    for new in to.iter().filter(|fact| fact.kind == Kind::Enum) {
        let Some(old) = from.get(&new.identity) else { continue };
        let known = old.list("labels");
        let literals: Vec<String> =
            new.list("labels").into_iter().filter(|label| !known.contains(label)).map(ddl::literal).collect();
        let said = |fact: &Fact| {
            let texts = || fact.fields.values().filter_map(Value::as_str);
            texts().any(|text| literals.iter().any(|literal| text.contains(literal)))
                && texts().any(|text| text.contains(new.identity.path()))
        };
        let used = literals.iter().any(|literal| data.iter().any(|step| step.sql.contains(literal)))
            || to.iter().any(|fact| {
                fact.kind != Kind::Enum
                    && fact.kind != Kind::Comment
                    && from.get(&fact.identity).is_none_or(|old| !old.says_the_same(fact))
                    && said(fact)
            });
        if used && !literals.is_empty() {
            found.push(new.identity.clone());
        }
    }
    found
}

pub(super) fn original(aligned: &Aligned, identity: &Identity) -> Identity {
    aligned
        .target_names
        .iter()
        .find(|(_, now)| *now == identity)
        .map_or_else(|| identity.clone(), |(original, _)| original.clone())
}
