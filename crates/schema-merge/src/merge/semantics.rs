//! What single facts cannot show: whether the merged whole still holds together.

use hashbrown::{HashMap, HashSet};

use super::collisions;
use super::facts::{Disagreement, Merged, Sides, differing};
use super::patch;
use super::renames::Aligned;
use crate::access::DefaultPrivileges;
use crate::catalog::{Catalog, Fact, Identity, Kind};
use crate::report::Hazard;

pub(super) fn check(aligned: &Aligned, merged: &mut Merged) {
    default_privileges(aligned, merged);
    duplicates(aligned, merged);
    named_null_rules(&mut merged.catalog);
    missing(aligned, merged);
    let found = collisions::all(aligned, merged);
    for disagreement in &found {
        // The target's state stands in, so that the rest can be planned and shown.
        for root in &disagreement.roots {
            patch::copy(&aligned.target, &mut merged.catalog, root, &[]);
        }
    }
    let more = !found.is_empty();
    merged.disagreements.extend(found);
    if more {
        missing(aligned, merged);
    }
}

/// Every fact needs its parent and what it depends on; what is only about access or a comment goes with its object.
fn missing(aligned: &Aligned, merged: &mut Merged) {
    // What had to stay out, and the disagreement that says why.
    let mut left_out: HashMap<Identity, usize> = HashMap::new();
    loop {
        let lost = |fact: &Fact, merged: &Catalog| {
            fact.parent.iter().chain(&fact.depends_on).find(|needed| !merged.contains(needed)).cloned()
        };
        let broken: Vec<(Identity, bool)> = merged
            .catalog
            .iter()
            .filter(|fact| lost(fact, &merged.catalog).is_some())
            .map(|fact| (fact.identity.clone(), fact.kind.satellite()))
            .collect();
        if broken.is_empty() {
            return;
        }
        for (identity, satellite) in broken {
            // What an earlier one brought back or took out is settled.
            let Some(lost) = merged.catalog.get(&identity).and_then(|fact| lost(fact, &merged.catalog)) else {
                continue;
            };
            if satellite {
                merged.catalog.remove(&identity);
            } else {
                settle(aligned, merged, &mut left_out, &identity, &lost);
            }
        }
    }
}

/// Reports a fact that lacks something, and leaves the merged catalog without the lack: what the source dropped stays for now, and
/// what needs something that the target dropped stays out.
fn settle(
    aligned: &Aligned,
    merged: &mut Merged,
    left_out: &mut HashMap<Identity, usize>,
    identity: &Identity,
    lost: &Identity,
) {
    if let Some(index) = left_out.get(lost).copied() {
        let parts = patch::subtree(&merged.catalog, identity);
        merged.disagreements[index].dependents.push(identity.clone());
        merged.disagreements[index].roots.push(identity.clone());
        take_out(merged, &parts, index, left_out);
        return;
    }
    let disagreement = broken_edge(aligned, identity, lost);
    let known = merged.disagreements.iter().position(|known| known.id() == disagreement.id());
    let index = known.unwrap_or(merged.disagreements.len());
    let dropped_by_source = aligned.target.contains(lost) && !aligned.source.contains(lost);
    if dropped_by_source && known.is_none() {
        for root in disagreement.roots.iter().chain([lost]) {
            if !merged.catalog.contains(lost) {
                patch::copy(&aligned.target, &mut merged.catalog, root, &[]);
            }
        }
    } else {
        let parts = patch::subtree(&merged.catalog, identity);
        patch::copy(&aligned.target, &mut merged.catalog, identity, std::slice::from_ref(lost));
        let needs = |fact: &Fact| fact.depends_on.contains(lost) || fact.parent.as_ref() == Some(lost);
        let still = known.is_some() || merged.catalog.get(identity).is_some_and(needs);
        let parts: Vec<Identity> = parts.into_iter().filter(|part| still || !aligned.target.contains(part)).collect();
        take_out(merged, &parts, index, left_out);
    }
    if known.is_none() {
        merged.disagreements.push(disagreement);
    }
}

fn take_out(merged: &mut Merged, parts: &[Identity], index: usize, left_out: &mut HashMap<Identity, usize>) {
    for part in parts {
        merged.catalog.remove(part);
        left_out.insert(part.clone(), index);
    }
}

fn broken_edge(aligned: &Aligned, identity: &Identity, lost: &Identity) -> Disagreement {
    let dropped_by_source = aligned.target.contains(lost) && !aligned.source.contains(lost);
    let (dropper, user) = if dropped_by_source { ("branch", "parent") } else { ("parent", "branch") };
    let (with, without) =
        if dropped_by_source { (&aligned.target, &aligned.source) } else { (&aligned.source, &aligned.target) };
    let foreign = with.get(identity).is_some_and(|fact| fact.text("type") == "foreign");
    let class = match identity.kind_word() {
        _ if lost.kind_word() == "extension" => "C22",
        _ if part_of(with, identity, lost) => "S10",
        "policy" => "C12",
        _ if dropped_by_source => "C4",
        "constraint" if foreign && matches!(lost.kind_word(), "constraint" | "index") => "C2",
        "constraint" if foreign => "C1",
        "replica_identity" | "publication_table" | "publication" => "C25",
        _ => "C3",
    };
    let mut root = lost.clone();
    while let Some(parent) = with.get(&root).and_then(|fact| fact.parent.clone()) {
        if without.contains(&parent) {
            break;
        }
        root = parent;
    }
    let hint = format!("The {dropper} dropped {root}, which {identity} on the {user} needs. Drop both, or keep both.");
    let mut found = Disagreement::about(identity, class, hint);
    found.fields = differing(
        identity,
        &Sides {
            base_of_target: aligned.base_of_target.get(identity),
            base_of_source: aligned.base_of_source.get(identity),
            target: aligned.target.get(identity),
            source: aligned.source.get(identity),
        },
    );
    (found.roots, found.source_roots) =
        if dropped_by_source { (vec![root], vec![identity.clone()]) } else { (vec![identity.clone()], vec![root]) };
    found
}

/// True when one thing is a part of another.
fn part_of(catalog: &Catalog, identity: &Identity, whole: &Identity) -> bool {
    let mut current = catalog.get(identity).and_then(|fact| fact.parent.clone());
    while let Some(parent) = current {
        if parent == *whole {
            return true;
        }
        current = catalog.get(&parent).and_then(|fact| fact.parent.clone());
    }
    false
}

/// The same index or unique constraint, added on both sides under different names, is kept once.
fn duplicates(aligned: &Aligned, merged: &mut Merged) {
    let equal = |fact: &Fact| -> Option<String> {
        let unique = fact.kind == Kind::Index
            || fact.kind == Kind::Constraint && matches!(fact.text("type"), "unique" | "not_null");
        let name = fact.identity.last();
        let said: Vec<String> = fact
            .fields
            .iter()
            .map(|(field, value)| format!("{field}={}", value.to_string().replace(&format!(" {name} ON "), " ON ")))
            .collect();
        unique.then(|| format!("{:?} {} {}", fact.parent, fact.kind.word(), said.join(", ")))
    };
    let new = |fact: &&Fact, base: &Catalog, other: &Catalog| {
        !base.contains(&fact.identity) && !other.contains(&fact.identity)
    };
    let theirs: HashMap<String, &Fact> = aligned
        .target
        .iter()
        .filter(|fact| new(fact, &aligned.base_of_target, &aligned.source))
        .filter_map(|fact| Some((equal(fact)?, fact)))
        .collect();
    let needed: HashSet<&Identity> = aligned.source.iter().flat_map(|fact| &fact.depends_on).collect();
    let mut dropped = Vec::new();
    for fact in aligned.source.iter().filter(|fact| new(fact, &aligned.base_of_source, &aligned.target)) {
        let Some(kept) = equal(fact).and_then(|said| theirs.get(&said)) else { continue };
        let detail = if needed.contains(&fact.identity) {
            format!("{} is the same under another name; both stay, because something needs this one", kept.identity)
        } else {
            dropped.push(fact.identity.clone());
            format!("{} is the same under another name; only that one is kept", kept.identity)
        };
        merged.hazards.push(Hazard::new("duplicate", fact.identity.to_string(), detail).rule("C19"));
    }
    for identity in dropped {
        merged.catalog.remove(&identity);
    }
}

/// A column has one null rule: one that has a name is not said of the column again.
fn named_null_rules(catalog: &mut Catalog) {
    let columns: Vec<Identity> = catalog
        .iter()
        .filter(|fact| fact.kind == Kind::Constraint && fact.text("type") == "not_null")
        .flat_map(|rule| rule.depends_on.iter().filter(|needed| needed.kind_word() == "column").cloned())
        .collect();
    for identity in columns {
        if let Some(mut column) = catalog.get(&identity).filter(|column| column.flag("not_null")).cloned() {
            column.fields.insert("not_null".to_owned(), false.into());
            catalog.insert(column);
        }
    }
}

/// Objects that the source made have its default privileges; on the target they shall have the merged ones.
fn default_privileges(aligned: &Aligned, merged: &mut Merged) {
    let entries = |catalog: &Catalog| {
        catalog.iter().filter(|fact| fact.kind == Kind::DefaultPrivilege).map(Fact::hash).collect::<Vec<_>>()
    };
    if entries(&aligned.source) == entries(&merged.catalog) {
        return;
    }
    let (was, shall) = (DefaultPrivileges::of(&aligned.source), DefaultPrivileges::of(&merged.catalog));
    let (mut added, mut taken, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    for object in merged.catalog.iter() {
        if aligned.base_of_target.contains(&object.identity) {
            continue;
        }
        // What both sides made has on the target what the target gave it; the source's own defaults add nothing to that.
        let shared = aligned.target.contains(&object.identity);
        let (before, after) = (was.initial_grants(object, true), shall.initial_grants(object, true));
        let come: Vec<_> = after
            .iter()
            .filter(|grant| !before.iter().any(|known| known.identity == grant.identity))
            .filter(|grant| !shared && !merged.catalog.contains(&grant.identity))
            .cloned()
            .collect();
        let gone: Vec<_> = before
            .iter()
            .filter(|grant| !after.iter().any(|known| known.identity == grant.identity))
            .filter(|grant| merged.catalog.get(&grant.identity).is_some_and(|held| held.says_the_same(grant)))
            .filter(|grant| !aligned.target.contains(&grant.identity))
            .map(|grant| grant.identity.clone())
            .collect();
        if !come.is_empty() || !gone.is_empty() {
            changed.push(object.identity.clone());
        }
        added.extend(come);
        taken.extend(gone);
    }
    for identity in changed {
        let detail = "the parent's default privileges changed; it gets those in force there now, and what the branch granted itself";
        merged.hazards.push(Hazard::new("access", identity.to_string(), detail).rule("C20"));
    }
    for grant in added {
        merged.catalog.insert(grant);
    }
    for identity in taken {
        merged.catalog.remove(&identity);
    }
}
