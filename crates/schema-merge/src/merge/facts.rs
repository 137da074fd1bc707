//! The three-way rule, applied to every fact and every field.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::Value;

use super::lists;
use crate::catalog::{Catalog, Fact, Identity, Kind};
use crate::plan::Unsupported;
use crate::report::{FieldConflict, Hazard};

/// A disagreement about one fact.
pub(super) struct Disagreement {
    pub(super) identity: Identity,
    pub(super) class: &'static str,
    pub(super) hint: String,
    pub(super) fields: Vec<FieldConflict>,
}

/// The merged facts; where sides disagree the target's state stands in.
#[derive(Default)]
pub(super) struct Merged {
    pub(super) catalog: Catalog,
    pub(super) disagreements: Vec<Disagreement>,
    pub(super) unsupported: Vec<Unsupported>,
    pub(super) hazards: Vec<Hazard>,
}

/// Parts of a function that only make sense together.
const FUNCTION_UNIT: [&str; 6] = ["kind", "language", "arguments", "returns", "body", "standard_body"];

pub(super) fn merge(base: &Catalog, target: &Catalog, source: &Catalog) -> Merged {
    let mut merged = Merged { catalog: Catalog::new(target.server_version), ..Merged::default() };
    let identities: BTreeSet<&Identity> =
        base.iter().chain(target.iter()).chain(source.iter()).map(|fact| &fact.identity).collect();
    for identity in identities {
        let sides = (base.get(identity), target.get(identity), source.get(identity));
        if let Some(fact) = merged.one(identity, sides) {
            merged.catalog.insert(fact);
        }
    }
    merged
}

type Sides<'a> = (Option<&'a Fact>, Option<&'a Fact>, Option<&'a Fact>);

impl Merged {
    fn one(&mut self, identity: &Identity, sides: Sides<'_>) -> Option<Fact> {
        if sides.0.or(sides.1).or(sides.2).is_some_and(|fact| fact.kind == Kind::Unmodelled) {
            return self.unmodelled(identity, sides);
        }
        match sides {
            (_, None, None) => None,
            (None, None, Some(only)) | (None, Some(only), None) => Some(only.clone()),
            (None, Some(theirs), Some(ours)) => Some(self.both(identity, None, theirs, ours)),
            (Some(old), Some(theirs), Some(ours)) => Some(self.both(identity, Some(old), theirs, ours)),
            (Some(old), Some(kept), None) => self.dropped(identity, old, kept, sides),
            (Some(old), None, Some(kept)) => self.dropped(identity, old, kept, sides).filter(|_| false),
        }
    }

    /// One side dropped the fact: that wins unless the other side changed it.
    fn dropped(&mut self, identity: &Identity, old: &Fact, kept: &Fact, sides: Sides<'_>) -> Option<Fact> {
        if kept.says_the_same(old) {
            return None;
        }
        if kept.kind.satellite() {
            let detail =
                "it was changed on one side and dropped with its object on the other; the drop wins".to_owned();
            self.hazards.push(Hazard { class: kept.kind.word().to_owned(), object: identity.to_string(), detail });
            return None;
        }
        let by_source = sides.2.is_none();
        let (dropper, changer) = if by_source { ("branch", "parent") } else { ("parent", "branch") };
        self.disagreements.push(Disagreement {
            identity: identity.clone(),
            class: "S10",
            hint: format!("The {dropper} dropped {identity}, which the {changer} changed. Decide which of the two stands and repeat it on the branch."),
            fields: differing(identity, Some(old), sides.1, sides.2),
        });
        Some(kept.clone())
    }

    fn unmodelled(&mut self, identity: &Identity, (base, target, source): Sides<'_>) -> Option<Fact> {
        let state = |fact: Option<&Fact>| fact.map(|fact| fact.fields.clone());
        if state(source) != state(base) && state(source) != state(target) {
            let reason =
                "the branch changed it, and its kind is not modelled: make the same change on the parent by hand";
            self.unsupported.push(Unsupported::about(identity, reason));
        }
        target.cloned()
    }

    fn both(&mut self, identity: &Identity, base: Option<&Fact>, target: &Fact, source: &Fact) -> Fact {
        if target.says_the_same(source) || base.is_some_and(|base| base.says_the_same(source)) {
            return target.clone();
        }
        if base.is_some_and(|base| base.says_the_same(target)) {
            return take(target, source);
        }
        let (fields, clashes) = merge_fields(base, target, source);
        if clashes.is_empty() {
            if target.kind == Kind::Policy {
                let detail = "both sides changed different parts of this policy; neither tested the result".to_owned();
                self.hazards.push(Hazard { class: "access".to_owned(), object: identity.to_string(), detail });
            }
            return combine(base, target, source, fields);
        }
        if target.kind == Kind::Comment {
            let detail = "both sides changed this comment; the parent's stays".to_owned();
            self.hazards.push(Hazard { class: "comment".to_owned(), object: identity.to_string(), detail });
            return target.clone();
        }
        let class = conflict_class(base, target);
        let names = clashes.join(", ");
        let hint = if base.is_some() {
            format!(
                "Both sides changed {names} of {identity} since the branch was made. Make them equal on both sides, or reset the branch."
            )
        } else {
            format!("Both sides added {identity} with different {names}. Make them equal on both sides, or rename one.")
        };
        let fields = differing(identity, base, Some(target), Some(source))
            .into_iter()
            .filter(|entry| clashes.contains(&entry.field))
            .collect();
        self.disagreements.push(Disagreement { identity: identity.clone(), class, hint, fields });
        target.clone()
    }
}

fn conflict_class(base: Option<&Fact>, target: &Fact) -> &'static str {
    match (base, target.kind) {
        (_, Kind::Function | Kind::View | Kind::Trigger) => "S20",
        (_, Kind::Policy) => "S21",
        (_, Kind::Grant) => "S22",
        (_, Kind::Enum) => "S25",
        (_, Kind::Index | Kind::Constraint) => "S13",
        (_, Kind::Sequence) => "S24",
        (None, Kind::Column) => "S6",
        (None, _) => "S5",
        (Some(_), _) => "S9",
    }
}

/// The source's state of a fact that the target did not change; place and lineage stay the target's.
fn take(target: &Fact, source: &Fact) -> Fact {
    let mut fact = source.clone();
    fact.lineage.object.clone_from(&target.lineage.object);
    fact.lineage.position = target.lineage.position;
    fact
}

fn combine(base: Option<&Fact>, target: &Fact, source: &Fact, fields: IndexMap<String, Value>) -> Fact {
    let mut fact = target.clone();
    if fields.get("definition") == source.fields.get("definition") {
        fact.lineage.view_columns.clone_from(&source.lineage.view_columns);
    }
    fact.fields = fields;
    let left = |side: &Fact| -> Vec<Identity> {
        base.map(|base| base.depends_on.iter().filter(|needed| !side.depends_on.contains(needed)).cloned().collect())
            .unwrap_or_default()
    };
    let (left_by_target, left_by_source) = (left(target), left(source));
    let mut needed: BTreeSet<Identity> = target.depends_on.iter().chain(&source.depends_on).cloned().collect();
    needed.retain(|identity| !left_by_target.contains(identity) && !left_by_source.contains(identity));
    fact.depends_on = needed.into_iter().collect();
    fact
}

/// Merges field by field; returns the fields with their merged values and the names of those that clash.
fn merge_fields(base: Option<&Fact>, target: &Fact, source: &Fact) -> (IndexMap<String, Value>, Vec<String>) {
    let null = Value::Null;
    let mut fields = IndexMap::new();
    let mut clashes = Vec::new();
    let names: Vec<&String> =
        target.fields.keys().chain(source.fields.keys().filter(|name| !target.fields.contains_key(*name))).collect();
    let unit_changed = |side: &Fact| {
        base.is_none_or(|base| FUNCTION_UNIT.iter().any(|field| base.fields.get(*field) != side.fields.get(*field)))
    };
    let unit_clashes = target.kind == Kind::Function
        && unit_changed(target)
        && unit_changed(source)
        && FUNCTION_UNIT.iter().any(|field| target.fields.get(*field) != source.fields.get(*field));
    for name in names {
        let (theirs, ours) = (target.fields.get(name).unwrap_or(&null), source.fields.get(name).unwrap_or(&null));
        let old = base.and_then(|base| base.fields.get(name));
        let in_unit = unit_clashes && FUNCTION_UNIT.contains(&name.as_str());
        let value = if theirs == ours {
            Some(theirs.clone())
        } else if in_unit {
            None
        } else if old == Some(theirs) {
            Some(ours.clone())
        } else if old == Some(ours) {
            Some(theirs.clone())
        } else {
            lists::merge(target.kind, name, old, theirs, ours)
        };
        if value.is_none() {
            clashes.push(name.clone());
        }
        fields.insert(name.clone(), value.unwrap_or_else(|| theirs.clone()));
    }
    (fields, clashes)
}

/// Fields that are not the same on all three sides.
pub(super) fn differing(
    identity: &Identity,
    base: Option<&Fact>,
    target: Option<&Fact>,
    source: Option<&Fact>,
) -> Vec<FieldConflict> {
    let mut names: Vec<&String> = Vec::new();
    for fact in [base, target, source].into_iter().flatten() {
        names.extend(fact.fields.keys().filter(|name| !names.contains(name)).collect::<Vec<_>>());
    }
    let value =
        |fact: Option<&Fact>, name: &str| fact.and_then(|fact| fact.fields.get(name)).cloned().unwrap_or(Value::Null);
    names
        .into_iter()
        .map(|name| FieldConflict {
            fact: identity.to_string(),
            field: name.clone(),
            base: value(base, name),
            target: value(target, name),
            source: value(source, name),
        })
        .filter(|entry| entry.base != entry.target || entry.base != entry.source)
        .collect()
}
