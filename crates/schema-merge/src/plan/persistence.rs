//! Tables that become logged or unlogged, among foreign keys: a logged table refers to logged ones at every moment.

use super::nodes::Builder;
use crate::catalog::{Catalog, Fact, Identity, Kind};

impl Builder<'_> {
    /// Orders changes of persistence: who refers becomes unlogged first and logged last; keys that go do so before, new ones come after.
    pub(super) fn persistence_edges(&mut self) {
        let mut edges = Vec::new();
        for (catalog, nodes, goes) in [(self.from, &self.dropping, true), (self.to, &self.creating, false)] {
            // What goes does so before a table changes, what comes waits for it.
            let beside = |part: usize, table: usize| if goes { (part, table) } else { (table, part) };
            for (key, table, referred) in references(catalog) {
                let [first, then] = [table, referred].map(|table| self.changes_persistence(table));
                if let (Some((refers, unlogged)), Some((holds, _))) = (first, then) {
                    edges.push(if unlogged { (refers, holds) } else { (holds, refers) });
                }
                for (node, _) in first.into_iter().chain(then) {
                    edges.extend(nodes.get(&key.identity).map(|key| beside(*key, node)));
                }
            }
            // A sequence becomes logged or unlogged with the table that owns it at that moment.
            for link in catalog.iter().filter(|fact| fact.kind == Kind::OwnedBy) {
                let table = link.depends_on.iter().find_map(|column| catalog.table_of(column));
                let Some((table, _)) = table.and_then(|table| self.changes_persistence(&table.identity)) else {
                    continue;
                };
                let links = [nodes, &self.altering].into_iter().filter_map(|nodes| nodes.get(&link.identity));
                edges.extend(links.map(|link| beside(*link, table)));
            }
        }
        self.edges.extend(edges.into_iter().filter(|(first, then)| first != then));
    }

    /// The node that makes a table logged or unlogged, and whether it becomes unlogged.
    fn changes_persistence(&self, table: &Identity) -> Option<(usize, bool)> {
        let (old, new) = (self.from.get(table)?, self.to.get(table)?);
        let node = self.altering.get(table)?;
        (old.flag("unlogged") != new.flag("unlogged")).then(|| (*node, new.flag("unlogged")))
    }
}

/// Foreign keys between two tables, with the table that refers and the one that is referred to.
fn references(catalog: &Catalog) -> impl Iterator<Item = (&Fact, &Identity, &Identity)> {
    catalog.iter().filter(|fact| fact.is_foreign_key()).filter_map(|key| {
        let table = key.parent.as_ref()?;
        let needed = key.depends_on.iter().filter_map(|needed| catalog.table_of(needed));
        let referred = needed.map(|other| &other.identity).find(|other| *other != table)?;
        Some((key, table, referred))
    })
}
