//! Things of both sides that are right by themselves and cannot stand together.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use super::facts::{Disagreement, Merged};
use super::partitions;
use super::renames::Aligned;
use super::rewriting::name_spaces;
use crate::catalog::{Catalog, Fact, Identity, Kind};

/// Everything in the merged whole that Postgres would refuse although each side has it.
pub(super) fn all(aligned: &Aligned, merged: &Merged) -> Vec<Disagreement> {
    let mut found = name_collisions(aligned, merged);
    found.extend(keys_and_values(aligned, merged));
    found.extend(bounds(aligned, merged));
    found.extend(keys_under_references(aligned, merged));
    found.extend(lasting_references(aligned, merged));
    found.extend(published_unlogged(aligned, merged));
    found.extend(labels_in_use(aligned, merged));
    found.extend(view_columns(aligned, merged));
    found.extend(super::under_parents::misfits(aligned, merged));
    found.extend(super::key_types::mismatched(aligned, &merged.catalog));
    found.extend(super::overloads::ambiguous(aligned, &merged.catalog));
    found.extend(super::default_types::mismatched(aligned, merged));
    found
}

/// Columns of views that one side took away and something of the other side uses.
fn view_columns(aligned: &Aligned, merged: &Merged) -> Vec<Disagreement> {
    let mut found: Vec<Disagreement> = Vec::new();
    for fact in merged.catalog.iter() {
        let satellite = fact.optional("column").filter(|column| fact.kind.satellite() && !column.is_empty());
        let said = fact.parent.as_ref().zip(satellite);
        let used = fact.lineage.uses.iter().map(|(view, column)| (view, column.as_str()));
        for (view, column) in used.chain(said) {
            let there = merged.catalog.get(view);
            let Some(there) = there.filter(|there| matches!(there.kind, Kind::View | Kind::MaterializedView)) else {
                continue;
            };
            let named = |entry: &String| entry.strip_prefix(column).is_some_and(|rest| rest.starts_with(' '));
            if there.lineage.view_columns.iter().any(named) || found.iter().any(|known| known.identity == fact.identity)
            {
                continue;
            }
            let by_source = aligned.target.contains(&fact.identity);
            let (changer, user) = if by_source { ("branch", "parent") } else { ("parent", "branch") };
            let hint = format!(
                "The {changer} took the column {column} from {view}, which {} on the {user} uses. Change both, or keep the column.",
                fact.identity
            );
            let parts = vec![fact.identity.clone(), view.clone()];
            found.push(Disagreement::of_both(&fact.identity, "C3", hint, parts));
        }
    }
    found
}

/// What of these facts each side brought: the source's new ones, and those of the target.
fn by_side(aligned: &Aligned, facts: &[&Fact]) -> (Vec<Identity>, Vec<Identity>) {
    let (of_target, of_source): (Vec<&&Fact>, Vec<&&Fact>) =
        facts.iter().partition(|fact| aligned.target.contains(&fact.identity));
    let names = |facts: Vec<&&Fact>| facts.into_iter().map(|fact| fact.identity.clone()).collect::<Vec<_>>();
    (names(of_source), names(of_target))
}

/// The names a fact takes in its schema: relations and indexes share one space, types another, and a table is in both.
fn taken_names(fact: &Fact) -> Vec<String> {
    if fact.kind == Kind::Unmodelled {
        let kind = fact.text("kind");
        let relation = ["table", "view", "sequence", "index"].iter().any(|word| kind.contains(word));
        let name = fact.text("name");
        return if relation { vec![format!("relation {name}"), format!("type {name}")] } else { Vec::new() };
    }
    let Some(name) = crate::plan::relation_name(fact) else { return Vec::new() };
    let spaces = match fact.kind {
        // Named by their index, their sequence, or as routines.
        Kind::Column | Kind::Constraint | Kind::Function | Kind::Aggregate => &["relation"],
        kind => name_spaces(kind),
    };
    spaces.iter().map(|space| format!("{space} {name}")).collect()
}

fn name_collisions(aligned: &Aligned, merged: &Merged) -> Vec<Disagreement> {
    let mut names: BTreeMap<String, Vec<&Fact>> = BTreeMap::new();
    for fact in merged.catalog.iter() {
        for name in taken_names(fact) {
            names.entry(name).or_default().push(fact);
        }
    }
    let mut found: Vec<Disagreement> = Vec::new();
    for (name, facts) in names.into_iter().filter(|(_, facts)| facts.len() > 1) {
        // A name that only the other side gave was never tried on this one.
        let alone = [(&aligned.target, &aligned.target_names), (&aligned.source, &aligned.source_names)]
            .into_iter()
            .any(|(side, renamed)| {
                facts
                    .iter()
                    .all(|fact| side.contains(&fact.identity) && !renamed.values().any(|now| *now == fact.identity))
            });
        let (ours, theirs): (Vec<Identity>, Vec<Identity>) = {
            // What the source renamed has its new name from there.
            let of_target = |fact: &&&Fact| {
                aligned.target.contains(&fact.identity)
                    && !aligned.target_names.values().any(|now| *now == fact.identity)
            };
            let (theirs, ours): (Vec<&&Fact>, Vec<&&Fact>) = facts.iter().partition(of_target);
            let names = |facts: Vec<&&Fact>| facts.into_iter().map(|fact| fact.identity.clone()).collect();
            (names(ours), names(theirs))
        };
        let known = found.iter().any(|known| known.identity == facts[0].identity);
        if alone || ours.is_empty() || known {
            continue;
        }
        let hint = format!(
            "Both sides use the name {} for different things: {}. Rename one.",
            name.split_once(' ').map_or(name.as_str(), |(_, name)| name),
            facts.iter().map(|fact| fact.identity.to_string()).collect::<Vec<_>>().join(", ")
        );
        let mut disagreement = Disagreement::about(&facts[0].identity, "C23", hint);
        (disagreement.roots, disagreement.source_roots) = (ours, theirs);
        found.push(disagreement);
    }
    found
}

/// Whether a side has all of these facts as they are.
pub(super) fn says_all(side: &Catalog, facts: &[&Fact]) -> bool {
    facts.iter().all(|fact| side.get(&fact.identity).is_some_and(|known| known.says_the_same(fact)))
}

/// Whether a side has all of these facts as they are, so that Postgres took them there.
pub(super) fn tried(aligned: &Aligned, facts: &[&Fact]) -> bool {
    [&aligned.target, &aligned.source].into_iter().any(|side| says_all(side, facts))
}

/// One primary key per table, over columns that are not null; one source of values per column.
fn keys_and_values(aligned: &Aligned, merged: &Merged) -> Vec<Disagreement> {
    let mut found = Vec::new();
    let mut primary: HashMap<&Identity, &Fact> = HashMap::new();
    let named = |fact: &&Fact| fact.kind == Kind::Constraint && fact.text("type") == "not_null";
    let not_null: HashSet<&Identity> = merged.catalog.iter().filter(named).flat_map(|fact| &fact.depends_on).collect();
    let tried = |facts: &[&Fact]| tried(aligned, facts);
    let settled = |identity: &Identity| merged.disagreements.iter().any(|known| known.identity == *identity);
    let differs = |identity: &Identity| {
        let target = aligned.target.get(identity);
        merged.catalog.get(identity).is_some_and(|fact| target.is_none_or(|target| !target.says_the_same(fact)))
    };
    for fact in merged.catalog.iter() {
        if fact.kind == Kind::Constraint && fact.text("type") == "primary" {
            let Some(table) = &fact.parent else { continue };
            if let Some(other) = primary.insert(table, fact) {
                let (ours, theirs) = by_side(aligned, &[other, fact]);
                let hint = format!(
                    "Both sides gave {table} a primary key: {} and {}. Keep one.",
                    other.identity, fact.identity
                );
                let mut disagreement = Disagreement::about(&fact.identity, "S13", hint);
                (disagreement.roots, disagreement.source_roots) = (ours, theirs);
                found.push(disagreement);
            }
            for column in fact
                .depends_on
                .iter()
                .filter_map(|needed| merged.catalog.get(needed))
                .filter(|needed| needed.kind == Kind::Column)
            {
                if column.parent.as_ref() == Some(table)
                    && !column.flag("not_null")
                    && !not_null.contains(&column.identity)
                    && !settled(&column.identity)
                    && !tried(&[column, fact])
                {
                    let hint = format!(
                        "{} is part of a primary key on one side and may be null on the other.",
                        column.identity
                    );
                    let parts = vec![column.identity.clone(), fact.identity.clone()];
                    found.push(Disagreement::of_both(&column.identity, "S15", hint, parts));
                }
            }
        }
        if fact.kind == Kind::Column
            && fact.fields.get("identity").is_some_and(|identity| !identity.is_null())
            && !fact.flag("not_null")
            && !tried(&[fact])
            && !settled(&fact.identity)
        {
            let hint = format!("{} became identity on one side and may be null on the other.", fact.identity);
            found.push(Disagreement::of_both(&fact.identity, "S15", hint, vec![fact.identity.clone()]));
        }
        let column = match fact.kind {
            Kind::Default => fact.parent.as_ref(),
            Kind::OwnedBy => fact.depends_on.iter().find(|needed| needed.kind_word() == "column"),
            _ => None,
        };
        if let Some(column) =
            column.and_then(|column| merged.catalog.get(column)).filter(|column| column.kind == Kind::Column)
        {
            let other = column.fields.get("identity").is_some_and(|identity| !identity.is_null())
                || column.optional("generated").is_some() && fact.kind == Kind::Default;
            // A sequence that an identity column owns beside its own was so before.
            if other
                && !tried(&[column, fact])
                && (differs(&column.identity) || differs(&fact.identity))
                && !settled(&column.identity)
                && !found.iter().any(|known: &Disagreement| known.identity == column.identity)
            {
                let hint = format!(
                    "{} got a default or a sequence on one side and became identity or generated on the other.",
                    column.identity
                );
                let parts = vec![
                    column.identity.clone(),
                    fact.identity.clone(),
                    Identity::new(Kind::Default, column.identity.path()),
                ];
                found.push(Disagreement::of_both(&column.identity, "C21", hint, parts));
            }
        }
    }
    found
}

/// A foreign key of one side over a key that the other side gave other columns.
fn keys_under_references(aligned: &Aligned, merged: &Merged) -> Vec<Disagreement> {
    let mut found = Vec::new();
    for reference in merged.catalog.iter().filter(|fact| fact.is_foreign_key()) {
        let keys = reference
            .depends_on
            .iter()
            .filter(|needed| matches!(needed.kind_word(), "constraint" | "index"))
            .filter_map(|needed| merged.catalog.get(needed));
        for key in keys {
            if tried(aligned, &[reference, key]) {
                continue;
            }
            let hint = format!(
                "{} refers to {}, which the other side changed since. Keep the key as it was, or refer to another one.",
                reference.identity, key.identity
            );
            found.push(Disagreement::of_user(aligned, reference, &key.identity, "C2", hint));
        }
    }
    found
}

/// A foreign key of a logged table to one that a crash empties.
fn lasting_references(aligned: &Aligned, merged: &Merged) -> Vec<Disagreement> {
    let unlogged = |table: &&Fact| table.kind == Kind::Table && table.flag("unlogged");
    let emptied: HashSet<&Identity> = merged.catalog.iter().filter(unlogged).map(|table| &table.identity).collect();
    let mut found = Vec::new();
    for reference in merged.catalog.iter().filter(|fact| fact.is_foreign_key()) {
        let Some(table) = reference.parent.as_ref().filter(|table| !emptied.contains(table)) else { continue };
        let needed = reference.depends_on.iter().filter_map(|needed| merged.catalog.table_of(needed));
        let Some(referred) = needed.map(|table| &table.identity).find(|needed| emptied.contains(needed)) else {
            continue;
        };
        let hint = format!(
            "{} makes {table} refer to {referred}, and one of the two became unlogged or logged on the other side. Make them alike.",
            reference.identity
        );
        let parts = vec![reference.identity.clone(), table.clone(), referred.clone()];
        let mut disagreement = Disagreement::of_both(&reference.identity, "C2", hint, parts);
        if !aligned.target.contains(&reference.identity) {
            disagreement.roots.truncate(1);
        }
        found.push(disagreement);
    }
    found
}

/// A table that one side publishes and the other side made unlogged: what is not logged is not replicated.
fn published_unlogged(aligned: &Aligned, merged: &Merged) -> Vec<Disagreement> {
    let mut found = Vec::new();
    for entry in merged.catalog.iter().filter(|fact| fact.kind == Kind::PublicationTable) {
        let table = entry.depends_on.iter().filter_map(|needed| merged.catalog.get(needed));
        let Some(table) = table.filter(|table| table.kind == Kind::Table).find(|table| table.flag("unlogged")) else {
            continue;
        };
        if tried(aligned, &[entry, table]) {
            continue;
        }
        let hint = format!(
            "{} is published on one side and became unlogged on the other, where Postgres replicates nothing of it.",
            table.identity
        );
        let parts = vec![table.identity.clone(), entry.identity.clone()];
        found.push(Disagreement::of_both(&table.identity, "C25", hint, parts));
    }
    found
}

/// Partitions of both sides that would hold the same rows.
fn bounds(aligned: &Aligned, merged: &Merged) -> Vec<Disagreement> {
    let unchanged = |link: &Identity| {
        aligned.target.get(link).zip(merged.catalog.get(link)).is_some_and(|(old, new)| old.says_the_same(new))
    };
    partitions::overlaps(&merged.catalog)
        .into_iter()
        .filter(|(left, right)| !(unchanged(left) && unchanged(right)))
        .map(|(left, right)| {
            let hint = format!("{left} and {right} would hold the same rows. Change the bounds of one of them.");
            let facts: Vec<&Fact> = [&left, &right].into_iter().filter_map(|link| merged.catalog.get(link)).collect();
            let (ours, theirs) = by_side(aligned, &facts);
            let mut found = Disagreement::about(&left, "C18", hint);
            (found.roots, found.source_roots) =
                if ours.is_empty() { (vec![left, right.clone()], vec![right]) } else { (ours, theirs) };
            found
        })
        .collect()
}

/// A label that one side removed and something of the other side still says.
fn labels_in_use(aligned: &Aligned, merged: &Merged) -> Vec<Disagreement> {
    let mut found = Vec::new();
    for new in merged.catalog.iter().filter(|fact| fact.kind == Kind::Enum) {
        let labels = new.list("labels");
        let gone: Vec<&str> = [&aligned.base_of_target, &aligned.base_of_source, &aligned.target, &aligned.source]
            .into_iter()
            .filter_map(|catalog| catalog.get(&new.identity))
            .flat_map(|old| old.list("labels"))
            .filter(|label| !labels.contains(label))
            .collect();
        if gone.is_empty() {
            continue;
        }
        let said: Vec<String> =
            gone.iter().map(|label| format!("{}::{}", crate::ddl::literal(label), new.identity.path())).collect();
        let user = merged.catalog.iter().find(|fact| {
            fact.depends_on.contains(&new.identity) || fact.parent.as_ref().is_some_and(|parent| {
                merged.catalog.get(parent).is_some_and(|parent| parent.depends_on.contains(&new.identity))
            })
        } && fact.fields.values().filter_map(serde_json::Value::as_str).any(|text| said.iter().any(|label| text.contains(label))));
        if let Some(user) = user {
            let hint = format!(
                "{} still uses a label that the other side removed from {}. Keep the label, or change what uses it.",
                user.identity, new.identity
            );
            let mut disagreement = Disagreement::about(&new.identity, "C9", hint);
            disagreement.source_roots = vec![new.identity.clone()];
            disagreement.dependents = vec![user.identity.clone()];
            if aligned
                .source
                .get(&new.identity)
                .is_some_and(|enumeration| !gone.iter().all(|label| enumeration.list("labels").contains(label)))
            {
                // The branch removed it: the parent's user goes with the branch's choice.
                disagreement.source_roots.push(user.identity.clone());
            } else {
                disagreement.roots.push(user.identity.clone());
            }
            found.push(disagreement);
        }
    }
    found
}
