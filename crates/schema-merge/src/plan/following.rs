//! Order between what a parent has and what its children have of it.

use hashbrown::HashMap;

use super::families;
use super::nodes::Builder;
use crate::catalog::{Catalog, Fact, Identity, Inherited, Kind, MAX_DEPTH};

impl<'a> Builder<'a> {
    /// Where two keys or indexes of the whole are over the same columns, Postgres gives each, the oldest first, the oldest fitting part of
    /// the table that is attached: parts and wholes are made in one order.
    pub(super) fn parts_in_order(&self) -> Vec<(usize, usize)> {
        let mut by_table: HashMap<&Identity, Vec<(&Fact, &Fact)>> = HashMap::new();
        for part in self.to.iter().filter(|part| part.optional("of").is_some()) {
            let Some(table) = &part.parent else { continue };
            let attached = self.creating.contains_key(&Identity::new(Kind::Partition, table.path()));
            if let Some(whole) = families::whole(part, self.to).filter(|_| attached && self.is_created(&part.identity))
            {
                by_table.entry(table).or_default().push((whole, part));
            }
        }
        let age = |whole: &Fact| match self.from.get(&whole.identity).filter(|_| !self.is_created(&whole.identity)) {
            Some(old) => (0, old.lineage.number().unwrap_or_default(), whole.identity.clone()),
            None => (1, 0, whole.identity.clone()),
        };
        let made = |fact: &Fact| self.creating.get(&fact.identity).copied();
        let mut edges = Vec::new();
        for mut parts in by_table.into_values() {
            parts.sort_by_cached_key(|(whole, _)| age(whole));
            for pair in parts.windows(2) {
                for (first, then) in [(pair[0].0, pair[1].0), (pair[0].1, pair[1].1)] {
                    edges.extend(made(first).zip(made(then)));
                }
            }
        }
        edges
    }

    /// A key of a partitioned table is valid, and may be referred to, when every part is attached.
    pub(super) fn whole_before_references(&self) -> Vec<(usize, usize)> {
        let mut parts: HashMap<&Identity, Vec<usize>> = HashMap::new();
        for (part, node) in &self.attaching {
            let mut whole = self.to.get(part).and_then(|part| families::whole(part, self.to));
            for _ in 0..MAX_DEPTH {
                let Some(known) = whole else { break };
                parts.entry(&known.identity).or_default().push(*node);
                whole = families::whole(known, self.to);
            }
        }
        let keys = self.to.iter().filter(|fact| fact.is_foreign_key());
        let mut edges = Vec::new();
        for key in keys.filter(|_| !parts.is_empty()) {
            let Some(made) = self.creating.get(&key.identity) else { continue };
            let attached = key.depends_on.iter().filter_map(|needed| parts.get(needed)).flatten();
            edges.extend(attached.map(|node| (*node, *made)));
        }
        edges
    }

    /// A new table inherits columns as they will be, however many generations above they change.
    pub(super) fn settled_above(&self) -> Vec<(usize, usize)> {
        let mut edges = Vec::new();
        for part in self.to.iter().filter(|part| part.lineage.inherited != Inherited::No) {
            let made = self.creating.get(&part.identity);
            let Some(made) = made.filter(|_| part.parent.as_ref().is_some_and(|table| self.is_created(table))) else {
                continue;
            };
            let mut above = self.families.above(part, self.to);
            for _ in 0..MAX_DEPTH {
                let Some(known) = above else { break };
                edges.extend(self.altering.get(&known.identity).map(|first| (*first, *made)));
                above = self.families.above(known, self.to);
            }
        }
        edges
    }

    /// What reads an inherited column needs its table and the parent's column. Where the child's is made or dropped by a statement of its
    /// own, it needs that one.
    pub(super) fn users_of_followers(&self) -> Vec<(usize, usize)> {
        let followers = |catalog: &'a Catalog,
                         nodes: &HashMap<Identity, usize>|
         -> HashMap<&'a Identity, Vec<(&'a Identity, usize)>> {
            let mut found: HashMap<&Identity, Vec<(&Identity, usize)>> = HashMap::new();
            for (part, node) in nodes.iter().filter_map(|(identity, node)| Some((catalog.get(identity)?, *node))) {
                let only = part.kind == Kind::Column && part.lineage.inherited == Inherited::Only;
                let Some(table) = part.parent.as_ref().filter(|_| only) else { continue };
                for above in part.depends_on.iter().filter(|above| nodes.get(*above) != Some(&node)) {
                    found.entry(above).or_default().push((table, node));
                }
            }
            found
        };
        let mut edges = Vec::new();
        for (catalog, nodes, making) in [(self.from, &self.dropping, false), (self.to, &self.creating, true)] {
            let followers = followers(catalog, nodes);
            for user in catalog.iter().filter(|_| !followers.is_empty()) {
                let Some(then) = nodes.get(&user.identity) else { continue };
                let parts = user.depends_on.iter().filter_map(|needed| followers.get(needed)).flatten();
                for (_, node) in
                    parts.filter(|(table, _)| user.depends_on.contains(table) || user.parent.as_ref() == Some(table))
                {
                    edges.push(if making { (*node, *then) } else { (*then, *node) });
                }
            }
        }
        edges
    }

    /// What a child declares itself is there before its parent brings the same, and goes after it.
    pub(super) fn declared_first(&self) -> Vec<(usize, usize)> {
        let mut edges = Vec::new();
        for part in self.to.iter().filter(|part| part.lineage.inherited == Inherited::Too) {
            let above = self.families.followed(part, self.to).and_then(|above| self.creating.get(&above.identity));
            edges.extend(self.creating.get(&part.identity).zip(above).map(|(first, then)| (*first, *then)));
        }
        for part in self.from.iter().filter(|part| part.lineage.inherited == Inherited::Too) {
            let above = self.families.followed(part, self.from).and_then(|above| self.dropping.get(&above.identity));
            edges.extend(above.zip(self.dropping.get(&part.identity)).map(|(first, then)| (*first, *then)));
        }
        edges
    }
}
