//! The three-way rule, applied to every fact and every field.

use std::collections::BTreeSet;

use serde_json::Value;

use super::drops::Drops;
use super::lists;
use super::renames::Aligned;
use crate::catalog::{Catalog, Fact, Fields, Identity, Kind};
use crate::plan::Unsupported;
use crate::report::{FieldConflict, Hazard, stable_id};

/// A disagreement about one fact, or about what one fact needs.
#[derive(Clone, Debug)]
pub(super) struct Disagreement {
    pub(super) identity: Identity,
    pub(super) class: &'static str,
    pub(super) hint: String,
    pub(super) fields: Vec<FieldConflict>,
    /// Whole subtrees in which the target's state settles it, and in which the source's does.
    pub(super) roots: Vec<Identity>,
    pub(super) source_roots: Vec<Identity>,
    pub(super) dependents: Vec<Identity>,
    /// Taking the source's side is no way out.
    pub(super) only_target: bool,
}

impl Disagreement {
    pub(super) fn about(identity: &Identity, class: &'static str, hint: String) -> Self {
        Self {
            identity: identity.clone(),
            class,
            hint,
            fields: Vec::new(),
            roots: vec![identity.clone()],
            source_roots: Vec::new(),
            dependents: Vec::new(),
            only_target: false,
        }
    }

    /// Of which both sides would have to take back their state of the same parts.
    pub(super) fn of_both(identity: &Identity, class: &'static str, hint: String, parts: Vec<Identity>) -> Self {
        Self { roots: parts.clone(), source_roots: parts, ..Self::about(identity, class, hint) }
    }

    /// Of a user that one side brought and the other side's thing that it cannot stand with.
    pub(super) fn of_user(aligned: &Aligned, user: &Fact, other: &Identity, class: &'static str, hint: String) -> Self {
        let by_target = aligned.target.contains(&user.identity);
        let (new, old) = if by_target { (other, &user.identity) } else { (&user.identity, other) };
        let (roots, source_roots) = (vec![new.clone()], vec![old.clone()]);
        Self { roots, source_roots, ..Self::about(&user.identity, class, hint) }
    }

    pub(super) fn class(mut self, class: &'static str) -> Self {
        self.class = class;
        self
    }

    /// Made of class, things and differing fields, but of no value.
    pub(super) fn id(&self) -> String {
        let mut fields: Vec<String> =
            self.fields.iter().map(|entry| format!("{} {}", entry.fact, entry.field)).collect();
        fields.sort_unstable();
        fields.dedup();
        let mut roots: Vec<&str> = self.source_roots.iter().map(Identity::as_str).collect();
        roots.sort_unstable();
        stable_id(
            "c",
            [self.class, self.identity.as_str()].into_iter().chain(roots).chain(fields.iter().map(String::as_str)),
        )
    }
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
const FUNCTION_UNIT: [&str; 8] =
    ["kind", "language", "arguments", "signature", "optional_arguments", "returns", "body", "standard_body"];

/// What a column's values are: a collation is chosen for a type.
const COLUMN_UNIT: [&str; 2] = ["type", "collation"];

fn unit(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Function => &FUNCTION_UNIT,
        Kind::Column => &COLUMN_UNIT,
        _ => &[],
    }
}

pub(super) fn merge(aligned: &Aligned) -> Merged {
    let mut merged = Merged { catalog: Catalog::new(aligned.target.server_version), ..Merged::default() };
    let identities: BTreeSet<&Identity> =
        [&aligned.base_of_target, &aligned.base_of_source, &aligned.target, &aligned.source]
            .into_iter()
            .flat_map(Catalog::iter)
            .map(|fact| &fact.identity)
            .collect();
    let mut drops = Drops::of(aligned);
    for identity in identities {
        let sides = Sides {
            base_of_target: aligned.base_of_target.get(identity),
            base_of_source: aligned.base_of_source.get(identity),
            target: aligned.target.get(identity),
            source: aligned.source.get(identity),
        };
        if let Some(fact) = merged.one(identity, &sides, &mut drops) {
            merged.catalog.insert(fact);
        }
    }
    let found: Vec<Disagreement> = drops.found.into_values().collect();
    for disagreement in &found {
        // What stands in is whole: the thing that one side dropped, with all that hangs on it.
        for root in disagreement.roots.iter().chain(&disagreement.source_roots) {
            let from = if aligned.target.contains(root) { &aligned.target } else { &aligned.source };
            super::patch::copy(from, &mut merged.catalog, root, &[]);
        }
    }
    merged.disagreements.extend(found);
    merged
}

/// One fact on all sides.
pub(super) struct Sides<'a> {
    pub(super) base_of_target: Option<&'a Fact>,
    pub(super) base_of_source: Option<&'a Fact>,
    pub(super) target: Option<&'a Fact>,
    pub(super) source: Option<&'a Fact>,
}

fn same(left: Option<&Fact>, right: Option<&Fact>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => left.says_the_same(right),
        (None, None) => true,
        _ => false,
    }
}

impl Merged {
    fn one(&mut self, identity: &Identity, sides: &Sides<'_>, drops: &mut Drops<'_>) -> Option<Fact> {
        let any = sides.base_of_target.or(sides.base_of_source).or(sides.target).or(sides.source)?;
        if any.kind == Kind::Unmodelled {
            return self.unmodelled(identity, sides);
        }
        let source_changed = !same(sides.base_of_source, sides.source);
        let target_changed = !same(sides.base_of_target, sides.target);
        if !source_changed || same(sides.target, sides.source) {
            let mut fact = sides.target.cloned();
            if let (Some(fact), Some(ours)) = (&mut fact, sides.source) {
                fact.depends_on = edges(sides, &fact.depends_on, &ours.depends_on);
            }
            return fact;
        }
        match (sides.target, sides.source) {
            (Some(theirs), Some(ours)) => {
                if !target_changed && same(sides.base_of_target, sides.base_of_source) {
                    return Some(take(sides, theirs, ours));
                }
                Some(self.both(identity, sides, theirs, ours))
            }
            (Some(_), None) if !target_changed => None,
            (None, Some(ours)) if !target_changed && sides.base_of_source.is_none() => Some(ours.clone()),
            (Some(kept), None) => self.dropped(identity, kept, sides, drops),
            (None, Some(kept)) => {
                self.dropped(identity, kept, sides, drops);
                None
            }
            (None, None) => None,
        }
    }

    /// One side dropped the fact, and the other changed it.
    fn dropped(&mut self, identity: &Identity, kept: &Fact, sides: &Sides<'_>, drops: &mut Drops<'_>) -> Option<Fact> {
        let by_source = sides.source.is_none();
        if kept.kind.satellite() {
            return self.satellite(identity, kept, sides, by_source, drops);
        }
        drops.add(identity, sides, by_source);
        Some(kept.clone())
    }

    /// Comments and grants go with their object. Where the object stays, the parent's comment does too, and a grant that one side
    /// took and the other changed is a disagreement.
    fn satellite(
        &mut self,
        identity: &Identity,
        kept: &Fact,
        sides: &Sides<'_>,
        by_source: bool,
        drops: &Drops<'_>,
    ) -> Option<Fact> {
        let lives = |catalog: &Catalog| kept.parent.as_ref().is_none_or(|parent| catalog.contains(parent));
        if !lives(&drops.aligned.target) || !lives(&drops.aligned.source) {
            let detail = "it was changed on one side and dropped with its object on the other; the drop wins";
            self.hazards.push(Hazard::new(kept.kind.word(), identity.to_string(), detail).rule("S10"));
            return None;
        }
        if kept.kind == Kind::Comment {
            let detail = "one side changed this comment and the other took it away; the parent's state stays";
            self.hazards.push(Hazard::new("comment", identity.to_string(), detail).rule("S23"));
            return sides.target.cloned();
        }
        let (taker, changer) = if by_source { ("branch", "parent") } else { ("parent", "branch") };
        let hint =
            format!("The {taker} revoked {identity}, which the {changer} changed. Decide which of the two stands.");
        let mut found = Disagreement::about(identity, "S22", hint);
        found.fields = differing(identity, sides);
        found.source_roots = vec![identity.clone()];
        self.disagreements.push(found);
        sides.target.cloned()
    }

    fn unmodelled(&mut self, identity: &Identity, sides: &Sides<'_>) -> Option<Fact> {
        let state = |fact: Option<&Fact>| fact.map(|fact| fact.fields.clone());
        if state(sides.source) != state(sides.base_of_source) && state(sides.source) != state(sides.target) {
            let reason =
                "the branch changed it, and its kind is not modelled: make the same change on the parent by hand";
            self.unsupported.push(Unsupported::about(identity, reason));
        }
        sides.target.cloned()
    }

    fn both(&mut self, identity: &Identity, sides: &Sides<'_>, target: &Fact, source: &Fact) -> Fact {
        let (fields, clashes) = merge_fields(sides, target, source);
        if clashes.is_empty() {
            let target_changed = !same(sides.base_of_target, sides.target);
            if target.kind == Kind::Policy && target_changed && fields != target.fields && fields != source.fields {
                let detail = "both sides changed different parts of this policy; neither tested the result";
                let hazard = Hazard::new("widened_access", identity.to_string(), detail).rule("S21");
                self.hazards.push(hazard.needs_approval());
            }
            if target.kind == Kind::Enum {
                self.positions(identity, sides, target, source);
            }
            return combine(sides, target, source, fields);
        }
        if target.kind == Kind::Comment {
            let detail = "both sides changed this comment; the parent's stays";
            self.hazards.push(Hazard::new("comment", identity.to_string(), detail).rule("S23"));
            return target.clone();
        }
        let names = clashes.join(", ");
        let added = sides.base_of_target.is_none() && sides.base_of_source.is_none();
        let hint = if added {
            format!("Both sides added {identity} with different {names}. Make them equal on both sides, or rename one.")
        } else {
            format!(
                "Both sides changed {names} of {identity} since the branch was made. Make them equal on both sides, or reset the branch."
            )
        };
        let mut found = Disagreement::about(identity, conflict_class(added, sides, target, &clashes), hint);
        found.fields = differing(identity, sides).into_iter().filter(|entry| clashes.contains(&entry.field)).collect();
        found.source_roots = vec![identity.clone()];
        self.disagreements.push(found);
        target.clone()
    }

    /// Labels that both sides added behind the same one have an order that neither side saw.
    fn positions(&mut self, identity: &Identity, sides: &Sides<'_>, target: &Fact, source: &Fact) {
        let old = sides.base_of_source.map(|base| base.list("labels")).unwrap_or_default();
        let places = |side: &Fact, other: &Fact| -> BTreeSet<String> {
            let labels: Vec<String> = side.list("labels").into_iter().map(str::to_owned).collect();
            let (mut last, mut found) = (String::new(), BTreeSet::new());
            for label in &labels {
                if old.contains(&label.as_str()) {
                    last.clone_from(label);
                } else if !other.list("labels").contains(&label.as_str()) {
                    found.insert(last.clone());
                }
            }
            found
        };
        if places(target, source).intersection(&places(source, target)).next().is_some() {
            let detail =
                "both sides added labels at the same place; the parent's come first, so comparisons order them so";
            self.hazards.push(Hazard::new("order", identity.to_string(), detail).rule("C11"));
        }
    }
}

fn conflict_class(added: bool, sides: &Sides<'_>, target: &Fact, clashes: &[String]) -> &'static str {
    // Two expressions of one generated column are two values of a field; anything else is about where values come from.
    let expressions = [sides.base_of_target, sides.target, sides.source]
        .into_iter()
        .all(|side| side.is_some_and(|fact| fact.optional("generated").is_some()));
    let unit = clashes.iter().any(|field| field == "identity" || field == "generated" && !expressions);
    let options =
        |side: &Option<&Fact>| side.is_some_and(|fact| fact.fields.get("identity").is_some_and(Value::is_object));
    match (added, target.kind.word()) {
        (true, "replica_identity" | "clustered_on" | "typed_table") => "S9",
        (_, "column") if unit && [sides.base_of_target, sides.target, sides.source].iter().all(options) => "S24",
        (_, "function" | "aggregate" | "view" | "materialized_view" | "trigger" | "rule" | "event_trigger") => "S20",
        (_, "policy" | "row_security") => "S21",
        (_, "grant" | "default_privilege") => "S22",
        (_, "enum") => "S25",
        (_, "index" | "constraint" | "domain_constraint") => "S13",
        (_, "sequence") => "S24",
        (_, "owned_by") => "C21",
        (true, "column" | "attribute") => "S6",
        (false, "column") if unit => "C21",
        (true, _) => "S5",
        (false, _) => "S9",
    }
}

/// The source's state of a fact that the target did not change; place and lineage stay the target's.
fn take(sides: &Sides<'_>, target: &Fact, source: &Fact) -> Fact {
    let mut fact = source.clone();
    fact.lineage.object = lineage(sides, target, source);
    fact.lineage.position = target.lineage.position;
    fact
}

/// The target's lineage, unless the source dropped the thing and made it again: then it is another one.
fn lineage(sides: &Sides<'_>, target: &Fact, source: &Fact) -> Option<String> {
    let made_again = sides.base_of_source.is_some_and(|base| {
        base.lineage.object.is_some() && source.lineage.object.is_some() && base.lineage.object != source.lineage.object
    });
    let known = sides.base_of_target.is_some_and(|base| base.lineage.object == target.lineage.object);
    if made_again && known { source.lineage.object.clone() } else { target.lineage.object.clone() }
}

fn combine(sides: &Sides<'_>, target: &Fact, source: &Fact, fields: Fields) -> Fact {
    let mut fact = target.clone();
    if fields.get("definition") == source.fields.get("definition") {
        fact.lineage.view_columns.clone_from(&source.lineage.view_columns);
    }
    if target.kind == Kind::Enum {
        // Labels of both sides: a label that only the source has will get an oid of the target's.
        let oid = |label: &&str| target.list("labels").iter().position(|known| known == label);
        let labels: Vec<&str> =
            fields.get("labels").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        fact.lineage.labels = labels
            .iter()
            .map(|label| oid(label).and_then(|at| target.lineage.labels.get(at)).cloned().unwrap_or_default())
            .collect();
    }
    fact.fields = fields;
    fact.lineage.object = lineage(sides, target, source);
    fact.lineage.secrets.extend(&source.lineage.secrets);
    fact.depends_on = edges(sides, &target.depends_on, &source.depends_on);
    fact
}

/// What either side needs, without what one of them needs no more.
fn edges(sides: &Sides<'_>, target: &[Identity], source: &[Identity]) -> Vec<Identity> {
    let left = |base: Option<&Fact>, side: &[Identity], identity: &Identity| {
        !side.contains(identity) && base.is_some_and(|base| base.depends_on.contains(identity))
    };
    let needed: BTreeSet<&Identity> = target
        .iter()
        .chain(source)
        .filter(|identity| {
            !left(sides.base_of_target, target, identity) && !left(sides.base_of_source, source, identity)
        })
        .collect();
    needed.into_iter().cloned().collect()
}

/// Merges field by field; returns the fields with their merged values and the names of those that clash.
fn merge_fields(sides: &Sides<'_>, target: &Fact, source: &Fact) -> (Fields, Vec<String>) {
    let null = Value::Null;
    let mut fields = Fields::default();
    let mut clashes = Vec::new();
    let names: Vec<&String> =
        target.fields.keys().chain(source.fields.keys().filter(|name| !target.fields.contains_key(*name))).collect();
    let unit = unit(target.kind);
    let differ =
        |left: &Fact, right: &Fact| unit.iter().any(|field| left.fields.get(*field) != right.fields.get(*field));
    let unit_clashes = sides.base_of_target.is_none_or(|base| differ(base, target))
        && sides.base_of_source.is_none_or(|base| differ(base, source))
        && differ(target, source);
    for name in names {
        let (theirs, ours) = (target.fields.get(name).unwrap_or(&null), source.fields.get(name).unwrap_or(&null));
        // A field that the base's fact does not have was null; a fact that the base does not have changed in every field.
        let was = |base: Option<&Fact>| base.map(|base| base.fields.get(name).unwrap_or(&null).clone());
        let (their_base, our_base) = (was(sides.base_of_target), was(sides.base_of_source));
        let in_unit = unit_clashes && unit.contains(&name.as_str());
        let value = if theirs == ours {
            Some(theirs.clone())
        } else if in_unit {
            None
        } else if our_base.as_ref() == Some(ours) {
            Some(theirs.clone())
        } else if their_base.as_ref() == Some(theirs) {
            Some(ours.clone())
        } else {
            lists::merge(target.kind, name, our_base.or(their_base).as_ref(), theirs, ours)
        };
        if value.is_none() {
            clashes.push(name.clone());
        }
        fields.insert(name.clone(), value.unwrap_or_else(|| theirs.clone()));
    }
    (fields, clashes)
}

/// Fields that are not the same on all sides.
pub(super) fn differing(identity: &Identity, sides: &Sides<'_>) -> Vec<FieldConflict> {
    let base = sides.base_of_target.or(sides.base_of_source);
    let mut names: Vec<&String> = Vec::new();
    for fact in [base, sides.target, sides.source].into_iter().flatten() {
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
            target: value(sides.target, name),
            source: value(sides.source, name),
        })
        .filter(|entry| entry.base != entry.target || entry.base != entry.source)
        .collect()
}
