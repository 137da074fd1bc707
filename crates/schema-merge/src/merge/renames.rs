//! Renames and moves, read from lineage: the same object under another name.
//!
//! All catalogs are rewritten to the final names before they are compared, so the merge itself knows nothing of renames. Texts that
//! Postgres printed are rewritten too. Where that rewriting is not exactly what Postgres will print, the fact only looks changed and
//! is made anew, which costs time and never correctness.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use super::facts::Disagreement;
use super::naming::{Renamed, Wanted, rename_all};
use super::options::Choice;
use super::rename_steps;
use super::rewriting::name_spaces;
use crate::access::DefaultPrivileges;
use crate::catalog::{Catalog, Fact, Identity, Kind, function_name};
use crate::plan::{Step, Unsupported};
use crate::report::Hazard;

/// The catalogs with final names, and the statements that give the target those names.
#[derive(Default)]
pub(super) struct Aligned {
    pub(super) base_of_target: Catalog,
    pub(super) base_of_source: Catalog,
    pub(super) target: Catalog,
    pub(super) source: Catalog,
    /// Renames and moves to run on the target, each with the fact's final identity.
    pub(super) steps: Vec<Step>,
    pub(super) disagreements: Vec<Disagreement>,
    pub(super) unsupported: Vec<Unsupported>,
    pub(super) hazards: Vec<Hazard>,
    /// From the target's identities to the final ones, where they differ.
    pub(super) target_names: HashMap<Identity, Identity>,
    /// From the source's identities to the final ones, where they differ.
    pub(super) source_names: HashMap<Identity, Identity>,
    /// Conflicts of names that a choice has settled.
    pub(super) settled: HashSet<String>,
}

/// Part of a name that a side gave to an object. A function's arguments are no part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) kind: Kind,
    /// The last name, when it changed.
    pub(super) last: Option<String>,
    /// The schema it moved to.
    pub(super) schema: Option<String>,
    /// Renamed labels of an enum: oid and new text.
    pub(super) labels: BTreeMap<String, String>,
}

impl Name {
    fn none(kind: Kind) -> Self {
        Self { kind, last: None, schema: None, labels: BTreeMap::new() }
    }

    fn is_empty(&self) -> bool {
        self.last.is_none() && self.schema.is_none() && self.labels.is_empty()
    }
}

pub(super) struct Sides<'a> {
    pub(super) base_of_target: &'a Catalog,
    pub(super) base_of_source: &'a Catalog,
    pub(super) target: &'a Catalog,
    pub(super) source: &'a Catalog,
}

/// Brings all catalogs under final names. Choices settle names on which the sides disagree.
pub(super) fn align(sides: &Sides<'_>, choices: &HashMap<String, Choice>) -> Aligned {
    let (base_of_source, source) = super::linking::link(sides);
    let mut aligned = Aligned::default();
    let by_target = aligned.detect(sides.base_of_target, sides.target, false);
    let by_source = aligned.detect(&base_of_source, &source, true);
    let catalogs = Catalogs {
        base_of_target: lineages(sides.base_of_target),
        base_of_source: lineages(&base_of_source),
        target: lineages(sides.target),
        source: lineages(&source),
    };
    let mut wanted = aligned.reconcile(&catalogs, [sides.target, &source], by_target, by_source, choices);
    aligned.clear_the_way(sides.target, &source, &catalogs, &mut wanted, choices);
    let target = rename_all(sides.target, &wanted);
    aligned.steps = rename_steps::steps(sides.target, &target, &wanted);
    let mut target = target;
    let missing: Vec<Fact> = rename_steps::destinations(&aligned.steps)
        .into_iter()
        .filter(|name| !sides.target.contains(&Identity::new(Kind::Schema, name)))
        .filter_map(|name| source.get(&Identity::new(Kind::Schema, name)).cloned())
        .collect();
    for schema in missing {
        if target.catalog.contains(&schema.identity) {
            continue;
        }
        aligned.steps.insert(0, rename_steps::create_schema(&schema));
        for grant in DefaultPrivileges::of(sides.target).initial_grants(&schema, true) {
            target.catalog.insert(grant);
        }
        target.catalog.insert(schema);
    }
    aligned.base_of_target = rename_all(sides.base_of_target, &wanted).catalog;
    aligned.base_of_source = rename_all(&base_of_source, &wanted).catalog;
    let renamed: Renamed = rename_all(&source, &wanted);
    aligned.source = renamed.catalog;
    aligned.source_names = renamed.names;
    aligned.target = target.catalog;
    aligned.target_names = target.names;
    aligned
}

struct Catalogs<'a> {
    base_of_target: HashMap<&'a str, &'a Fact>,
    base_of_source: HashMap<&'a str, &'a Fact>,
    target: HashMap<&'a str, &'a Fact>,
    source: HashMap<&'a str, &'a Fact>,
}

/// Kinds whose facts can be renamed.
pub(super) fn renameable(kind: Kind) -> bool {
    !matches!(
        kind.word(),
        "default"
            | "owned_by"
            | "replica_identity"
            | "clustered_on"
            | "row_security"
            | "grant"
            | "comment"
            | "default_privilege"
            | "unmodelled"
            | "extension"
            | "operator"
            | "cast"
            | "user_mapping"
            | "partition"
            | "inheritance"
            | "typed_table"
            | "inherited_column"
            | "publication_table"
            | "publication_schema"
    )
}

fn lineages(catalog: &Catalog) -> HashMap<&str, &Fact> {
    catalog
        .iter()
        .filter(|fact| renameable(fact.kind))
        .filter_map(|fact| Some((fact.lineage.object.as_deref()?, fact)))
        .collect()
}

/// The name by which a fact is told from its siblings.
fn own_name(identity: &Identity) -> &str {
    function_name(identity.last())
}

impl Aligned {
    /// What one side renamed or moved since its base.
    fn detect(&mut self, base: &Catalog, side: &Catalog, by_source: bool) -> Wanted {
        let (before, now) = (lineages(base), lineages(side));
        let mut wanted = Wanted::new();
        if !super::linking::trustworthy(base, side) {
            self.hazards.extend(super::linking::by_structure(base, side, &mut wanted, by_source));
            return wanted;
        }
        let schemas = schema_names(base, side);
        for (token, old) in before {
            let Some(new) = now.get(token).filter(|new| new.kind == old.kind) else { continue };
            let mut name = Name::none(old.kind);
            if own_name(&old.identity) != own_name(&new.identity) {
                name.last = Some(own_name(&new.identity).to_owned());
            }
            if whole(old) && !follows(old) {
                let (was, is) = (old.identity.names()[0], new.identity.names()[0]);
                if schemas.get(was).map_or(was, String::as_str) != is {
                    name.schema = Some(is.to_owned());
                }
            }
            for (oid, label) in new.lineage.labels.iter().zip(new.list("labels")) {
                let at = old.lineage.labels.iter().position(|known| known == oid);
                if at.and_then(|at| old.list("labels").get(at).copied()).is_some_and(|before| before != label) {
                    name.labels.insert(oid.clone(), label.to_owned());
                }
            }
            if !name.is_empty() {
                wanted.insert(token.to_owned(), name);
            }
        }
        wanted
    }

    fn reconcile(
        &mut self,
        catalogs: &Catalogs<'_>,
        [target, source]: [&Catalog; 2],
        by_target: Wanted,
        by_source: Wanted,
        choices: &HashMap<String, Choice>,
    ) -> Wanted {
        let mut wanted = by_target.clone();
        // What one side renamed and the other has made again under that name is the same to both.
        let made_again = |renamed: Option<&&Fact>, there: &Catalog| {
            renamed.is_some_and(|now| there.get(&now.identity).is_some_and(|other| other.kind == now.kind))
        };
        for (token, ours) in &by_source {
            let Some(old) = catalogs.base_of_source.get(token.as_str()) else { continue };
            if !catalogs.target.contains_key(token.as_str()) {
                if catalogs.base_of_target.contains_key(token.as_str())
                    && !brought_along(old, &catalogs.base_of_source, &by_source)
                    && !made_again(catalogs.source.get(token.as_str()), target)
                {
                    let mut named = readable(old, ours);
                    named.hint =
                        format!("The branch renamed {} to {}; the parent dropped it.", old.identity, shown(ours));
                    with_whole(&mut named, old, &catalogs.base_of_source, &catalogs.target);
                    self.disagreements.push(named.class("S18"));
                }
                wanted.insert(token.clone(), ours.clone());
                continue;
            }
            let theirs = by_target.get(token);
            let mut merged = theirs.cloned().unwrap_or_else(|| Name::none(ours.kind));
            let same_labels = |theirs: &Name| {
                theirs.labels.iter().all(|(oid, label)| ours.labels.get(oid).is_none_or(|other| other == label))
            };
            let class = if theirs.is_some_and(|theirs| !same_labels(theirs)) { "S25" } else { "S17" };
            let mut clash = readable(old, theirs.unwrap_or(ours)).class(class);
            let choice = choices.get(&clash.id());
            let differs = theirs.is_some_and(|theirs| {
                theirs.last.is_some() && ours.last.is_some() && theirs.last != ours.last
                    || theirs.schema.is_some() && ours.schema.is_some() && theirs.schema != ours.schema
                    || !same_labels(theirs)
            });
            if differs && choice.is_none() {
                let theirs = theirs.map(shown).unwrap_or_default();
                clash.hint = format!(
                    "{} was renamed to {theirs} on the parent and to {} on the branch. Choose one name on both sides.",
                    old.identity,
                    shown(ours)
                );
                self.disagreements.push(clash);
                continue;
            }
            if differs {
                self.settled.insert(clash.id());
            }
            let prefer_ours = !differs || choice == Some(&Choice::TakeSource);
            take_name(&mut merged.last, &ours.last, prefer_ours);
            take_name(&mut merged.schema, &ours.schema, prefer_ours);
            for (oid, label) in &ours.labels {
                if prefer_ours || !merged.labels.contains_key(oid) {
                    merged.labels.insert(oid.clone(), label.clone());
                }
            }
            wanted.insert(token.clone(), merged);
        }
        for (token, theirs) in &by_target {
            let Some(old) = catalogs.base_of_target.get(token.as_str()) else { continue };
            if !catalogs.source.contains_key(token.as_str())
                && catalogs.base_of_source.contains_key(token.as_str())
                && !brought_along(old, &catalogs.base_of_target, &by_target)
                && !made_again(catalogs.target.get(token.as_str()), source)
            {
                let mut named = readable(old, theirs);
                with_whole(&mut named, old, &catalogs.base_of_target, &catalogs.source);
                named.hint =
                    format!("The parent renamed {} to {}; the branch dropped it.", old.identity, shown(theirs));
                self.disagreements.push(named.class("S18"));
            }
        }
        wanted
    }

    /// A name must be free on both sides: what gives way is set aside when it goes anyway, and else the sides disagree.
    fn clear_the_way(
        &mut self,
        target: &Catalog,
        source: &Catalog,
        catalogs: &Catalogs<'_>,
        wanted: &mut Wanted,
        choices: &HashMap<String, Choice>,
    ) {
        for _ in 0..4 {
            let mut again = false;
            for (side, other_side, by) in [(target, &catalogs.source, "branch"), (source, &catalogs.target, "parent")] {
                for (mover, blocker, taken) in collisions(side, wanted) {
                    let Some(token) = mover.lineage.object.clone() else { continue };
                    let goes = blocker.lineage.object.as_deref().is_some_and(|token| {
                        !other_side.contains_key(token)
                            && (catalogs.base_of_target.contains_key(token)
                                || catalogs.base_of_source.contains_key(token))
                    });
                    let lineage = blocker.lineage.object.clone().filter(|_| goes);
                    if let Some(lineage) = lineage {
                        let mut name = wanted.remove(&lineage).unwrap_or_else(|| Name::none(blocker.kind));
                        name.last = Some(super::rewriting::aside(&blocker.identity));
                        wanted.insert(lineage, name);
                        again = true;
                        continue;
                    }
                    // The mover keeps the name that this side knows it by.
                    let mut clash = Disagreement::about(
                        &taken,
                        "S19",
                        format!(
                            "The {by} renamed {} to {}, a name that the other side gave to {}. Rename one of them.",
                            mover.identity,
                            taken.path(),
                            blocker.identity
                        ),
                    );
                    clash.only_target = true;
                    wanted.remove(&token);
                    let original = if by == "branch" {
                        catalogs.target.get(token.as_str())
                    } else {
                        catalogs.source.get(token.as_str())
                    };
                    if let Some(original) = original {
                        let mut name = Name::none(original.kind);
                        name.last = Some(own_name(&original.identity).to_owned());
                        name.schema = whole(original).then(|| original.identity.names()[0].to_owned());
                        wanted.insert(token, name);
                    }
                    let by_hand =
                        matches!(choices.get(&clash.id()), Some(Choice::TakeTarget | Choice::CustomSql { .. }));
                    if by_hand {
                        self.settled.insert(clash.id());
                    } else if !self.disagreements.iter().any(|known| known.id() == clash.id()) {
                        self.disagreements.push(clash);
                    }
                    again = true;
                }
                if again {
                    break;
                }
            }
            if !again {
                return;
            }
        }
        self.unsupported.push(Unsupported {
            kind: "rename".to_owned(),
            schema: String::new(),
            name: "several objects".to_owned(),
            reason: "objects were renamed to each other's names on both sides; rename them in two steps".to_owned(),
        });
        wanted.clear();
    }
}

/// Renamed facts whose new place another fact of the same catalog already has: the mover, what is in its way, and the place.
fn collisions<'a>(catalog: &'a Catalog, wanted: &Wanted) -> Vec<(&'a Fact, &'a Fact, Identity)> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let renamed = rename_all_names(catalog, wanted);
    let mut at: HashMap<String, Vec<&Fact>> = HashMap::new();
    let mut moved: HashSet<&Identity> = HashSet::new();
    for (fact, new) in &renamed {
        for place in places(fact, new) {
            at.entry(place).or_default().push(*fact);
        }
        if own_name(&fact.identity) != own_name(new)
            || fact.identity.names().len() == 2 && fact.identity.names()[0] != new.names()[0]
        {
            moved.insert(&fact.identity);
        }
    }
    let mut found = Vec::new();
    for (fact, new) in &renamed {
        if !moved.contains(&fact.identity) {
            continue;
        }
        let there = places(fact, new).into_iter().filter_map(|place| at.get(&place)).flatten();
        let others: BTreeMap<&Identity, &Fact> = there.map(|other| (&other.identity, *other)).collect();
        let explicit = fact.lineage.object.as_deref().is_some_and(|token| wanted.contains_key(token));
        for other in others.into_values().filter(|other| other.identity != fact.identity) {
            let other_explicit = other.lineage.object.as_deref().is_some_and(|token| wanted.contains_key(token));
            if explicit && (!other_explicit || fact.identity < other.identity) {
                found.push((*fact, other, new.clone()));
            }
        }
    }
    found
}

fn rename_all_names<'a>(catalog: &'a Catalog, wanted: &Wanted) -> Vec<(&'a Fact, Identity)> {
    let names = rename_all(catalog, wanted).names;
    catalog
        .iter()
        .filter(|fact| renameable(fact.kind))
        .map(|fact| (fact, names.get(&fact.identity).cloned().unwrap_or_else(|| fact.identity.clone())))
        .collect()
}

/// What a name takes: a table's is one among relations and among types.
fn places(fact: &Fact, new: &Identity) -> Vec<String> {
    match name_spaces(fact.kind) {
        spaces if new.names().len() == 2 && !spaces.is_empty() => {
            spaces.iter().map(|space| format!("{space}:{}", new.path())).collect()
        }
        _ => vec![new.as_str().to_owned()],
    }
}

fn take_name(merged: &mut Option<String>, ours: &Option<String>, prefer_ours: bool) {
    if ours.is_some() && (prefer_ours || merged.is_none()) {
        merged.clone_from(ours);
    }
}

/// True when what it hangs on was renamed by the same side, which says enough.
fn brought_along(old: &Fact, base: &HashMap<&str, &Fact>, by_side: &Wanted) -> bool {
    let parent = old.parent.as_ref().and_then(|parent| base.values().find(|fact| fact.identity == *parent));
    parent.is_some_and(|parent| parent.lineage.object.as_deref().is_some_and(|token| by_side.contains_key(token)))
}

/// What was dropped was dropped with all it hung on.
fn with_whole(named: &mut Disagreement, old: &Fact, base: &HashMap<&str, &Fact>, dropper: &HashMap<&str, &Fact>) {
    let mut current = old.parent.clone();
    while let Some(parent) = current.and_then(|parent| base.values().find(|fact| fact.identity == parent)) {
        if parent.lineage.object.as_deref().is_some_and(|token| dropper.contains_key(token)) {
            return;
        }
        named.roots.insert(0, parent.identity.clone());
        named.source_roots.insert(0, parent.identity.clone());
        current = parent.parent.clone();
    }
}

fn schema_names(base: &Catalog, side: &Catalog) -> HashMap<String, String> {
    let by_token: HashMap<&str, &Fact> = side
        .iter()
        .filter(|fact| fact.kind == Kind::Schema)
        .filter_map(|fact| Some((fact.lineage.object.as_deref()?, fact)))
        .collect();
    base.iter()
        .filter(|fact| fact.kind == Kind::Schema)
        .filter_map(|fact| {
            let now = by_token.get(fact.lineage.object.as_deref()?)?;
            Some((fact.identity.path().to_owned(), now.identity.path().to_owned()))
        })
        .collect()
}

/// Whether it lives in a schema by itself.
pub(super) fn whole(fact: &Fact) -> bool {
    fact.identity.names().len() == 2
}

/// Whether it moves with the table it belongs to.
pub(super) fn follows(fact: &Fact) -> bool {
    fact.kind == Kind::Index
}

fn readable(old: &Fact, name: &Name) -> Disagreement {
    let mut path: Vec<String> = old.identity.names().into_iter().map(str::to_owned).collect();
    if let (Some(last), Some(new)) = (path.last_mut(), &name.last) {
        let arguments = &old.identity.last()[own_name(&old.identity).len()..];
        *last = format!("{new}{arguments}");
    }
    if let (Some(first), Some(new)) = (path.first_mut(), &name.schema) {
        first.clone_from(new);
    }
    let named = Identity::new(old.kind, path.join("."));
    Disagreement::of_both(&named, "S18", String::new(), vec![named.clone()])
}

fn shown(name: &Name) -> String {
    let place = [name.schema.as_deref(), name.last.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(".");
    if name.labels.is_empty() {
        return place;
    }
    let labels: Vec<&str> = name.labels.values().map(String::as_str).collect();
    format!("{place} {}", labels.join(", ")).trim().to_owned()
}
