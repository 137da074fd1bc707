//! Which objects of two databases are the same: by lineage where one is a copy of the other, else by name, else by structure.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::naming::Wanted;
use super::renames::{Name, Sides, renameable};
use crate::catalog::{Catalog, Fact, Kind};
use crate::report::Hazard;

/// The source's base and the source with the lineage of the target's base: what is the same in both bases has the same token.
///
/// Where both bases are physical copies of one database the tokens are equal already. Otherwise they say nothing across databases and
/// names tell. What the target's base does not have gets a token that no other database can have.
pub(super) fn link(sides: &Sides<'_>) -> (Catalog, Catalog) {
    if std::ptr::eq(sides.base_of_target, sides.base_of_source) {
        return (sides.base_of_source.clone(), sides.source.clone());
    }
    let copies = trustworthy(sides.base_of_target, sides.base_of_source);
    let known: HashMap<&str, &Fact> =
        sides.base_of_target.iter().filter_map(|fact| Some((fact.lineage.object.as_deref()?, fact))).collect();
    let mut tokens: HashMap<String, String> = HashMap::new();
    for fact in sides.base_of_source.iter() {
        let Some(token) = fact.lineage.object.as_deref() else { continue };
        let same = known.get(token).filter(|there| copies && there.kind == fact.kind);
        // A copy's token under another name is a rename only if nothing of that name says otherwise.
        let by_name = sides.base_of_target.get(&fact.identity).and_then(|there| there.lineage.object.clone());
        let now = match (same, by_name) {
            (Some(_), Some(other)) if other != token && !known.contains_key(other.as_str()) => other,
            (Some(_), _) => token.to_owned(),
            (None, Some(other)) => other,
            (None, None) => format!("source:{token}"),
        };
        tokens.insert(token.to_owned(), now);
    }
    let relabel = |catalog: &Catalog| {
        let mut out = Catalog::new(catalog.server_version);
        for fact in catalog.iter_shared() {
            let mut fact = fact.clone();
            if let Some(token) = &fact.lineage.object {
                let now = tokens.get(token).cloned().unwrap_or_else(|| format!("source:{token}"));
                if now != *token {
                    Arc::make_mut(&mut fact).lineage.object = Some(now);
                }
            }
            out.insert_shared(fact);
        }
        out
    };
    (relabel(sides.base_of_source), relabel(sides.source))
}

/// A copy keeps oids; a database built another way does not, and its oids say nothing.
pub(super) fn trustworthy(base: &Catalog, side: &Catalog) -> bool {
    let tokens: HashSet<&str> = side.iter().filter_map(|fact| fact.lineage.object.as_deref()).collect();
    let (mut same, mut other) = (0_usize, 0_usize);
    for old in base
        .iter()
        .filter(|fact| matches!(fact.kind, Kind::Table | Kind::View | Kind::Sequence | Kind::Function | Kind::Enum))
    {
        let Some(new) = side.get(&old.identity) else { continue };
        if old.lineage.object == new.lineage.object {
            same += 1;
        } else if !old.lineage.object.as_deref().is_some_and(|token| tokens.contains(token)) {
            other += 1;
        }
    }
    same >= other
}

/// Without lineage, a table or enum that went and one that came with exactly the same structure are taken for one, if no other fits.
pub(super) fn by_structure(base: &Catalog, side: &Catalog, wanted: &mut Wanted, by_source: bool) -> Vec<Hazard> {
    let gone = structures(base, side);
    let come = structures(side, base);
    let mut hazards = Vec::new();
    for (structure, old) in gone {
        let (Some([new]), [old]) = (come.get(&structure).map(Vec::as_slice), old.as_slice()) else { continue };
        let Some(token) = old.lineage.object.clone() else { continue };
        let (was, is) = (old.identity.names(), new.identity.names());
        let name = Name {
            kind: old.kind,
            last: (was.last() != is.last()).then(|| new.identity.last().to_owned()),
            schema: (was.first() != is.first()).then(|| is[0].to_owned()),
            labels: BTreeMap::new(),
        };
        let by = if by_source { "branch" } else { "parent" };
        hazards.push(
            Hazard::new(
                "match",
                new.identity.to_string(),
                format!("the {by} has it in place of {}, with the same structure; it is taken for a rename, since nothing tells more", old.identity),
            )
            .rule("S16"),
        );
        wanted.insert(token, name);
    }
    hazards
}

/// Tables and enums of one catalog that the other does not have, by what they are made of.
fn structures<'a>(catalog: &'a Catalog, other: &Catalog) -> BTreeMap<String, Vec<&'a Fact>> {
    let mut columns: HashMap<&str, Vec<String>> = HashMap::new();
    for fact in catalog.iter().filter(|fact| fact.kind == Kind::Column) {
        columns.entry(fact.identity.prefix()).or_default().push(format!(
            "{} {}",
            fact.identity.last(),
            fact.text("type")
        ));
    }
    let mut found: BTreeMap<String, Vec<&Fact>> = BTreeMap::new();
    for fact in catalog.iter().filter(|fact| renameable(fact.kind) && !other.contains(&fact.identity)) {
        let structure = match fact.kind {
            Kind::Table => columns.get(fact.identity.path()).map(|columns| columns.join(", ")),
            Kind::Enum => Some(fact.list("labels").join(", ")),
            _ => None,
        };
        if let Some(structure) = structure.filter(|structure| !structure.is_empty()) {
            found.entry(format!("{} {structure}", fact.kind.word())).or_default().push(fact);
        }
    }
    found
}
