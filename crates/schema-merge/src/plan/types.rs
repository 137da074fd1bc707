//! Nodes for types: composites with their attributes, domains with their checks, and types made anew under their columns.

use hashbrown::HashMap;

use super::nodes::{BUILD, Builder, DROP, free_name, widens};
use crate::catalog::{Fact, Identity, Kind};
use crate::ddl::{self, Piece};

impl Builder<'_> {
    /// Composites are made with their attributes, domains with those of their checks that need nothing made later.
    pub(super) fn create_types(&mut self) {
        let to = self.to;
        let mut parts: HashMap<&Identity, Vec<&Fact>> = HashMap::new();
        for fact in to.iter().filter(|fact| matches!(fact.kind, Kind::Attribute | Kind::DomainConstraint)) {
            if let Some(parent) = fact.parent.as_ref().filter(|parent| self.is_created(parent)) {
                parts.entry(parent).or_default().push(fact);
            }
        }
        for fact in to.iter().filter(|fact| matches!(fact.kind, Kind::Composite | Kind::Domain)) {
            if !self.is_created(&fact.identity) {
                continue;
            }
            let mut own = parts.remove(&fact.identity).unwrap_or_default();
            let pieces = if fact.kind == Kind::Composite {
                own.sort_by_key(|part| (part.lineage.position, &part.identity));
                ddl::create_composite(fact, &own)
            } else {
                own.retain(|check| foldable(check));
                vec![ddl::create_domain(fact, &own)]
            };
            let pieces = self.made_by_owner(fact, pieces);
            let node = self.push(fact, BUILD, fact.lineage.role.clone(), pieces, false);
            self.creating.insert(fact.identity.clone(), node);
            for part in own {
                self.creating.insert(part.identity.clone(), node);
            }
            self.drop_replaced(fact);
        }
    }

    /// True when values of the type may be lost: a label or an attribute goes, or what it holds becomes narrower.
    pub(super) fn loses(&self, old: &Fact) -> bool {
        let new = self.to.get(&old.identity);
        let narrower = |field: &str| new.is_some_and(|new| !widens(old.text(field), new.text(field)));
        match old.kind {
            Kind::Enum => {
                let renames = self.closure.relabelled.get(&old.identity).map(Vec::as_slice).unwrap_or_default();
                let labels = ddl::relabelled(old, renames);
                new.is_none_or(|new| labels.iter().any(|label| !new.list("labels").contains(label)))
            }
            Kind::Domain => narrower("base"),
            Kind::Range => narrower("subtype"),
            Kind::Attribute => new.is_some() && narrower("type"),
            Kind::Composite => {
                new.is_some()
                    && self.from.iter().any(|part| {
                        part.kind == Kind::Attribute
                            && part.parent.as_ref() == Some(&old.identity)
                            && (!self.to.contains(&part.identity) || self.loses(part))
                    })
            }
            _ => false,
        }
    }

    /// What a rebuilt type was goes once every column has moved over.
    pub(super) fn drop_replaced(&mut self, fact: &Fact) {
        if !self.closure.rebuilt.contains(&fact.identity) || fact.kind == Kind::Range {
            return;
        }
        let word = if fact.kind == Kind::Collation { "collation" } else { "type" };
        let old = format!("drop {word} {}.{}", fact.identity.prefix(), free_name(self.from, &fact.identity));
        let last = self.push(fact, BUILD, fact.lineage.role.clone(), vec![Piece::new(old)], false);
        self.finishing.push((fact.identity.clone(), last));
    }

    /// A range type cannot stand aside, because its constructors would keep the names that the new one's need: its columns hold text
    /// while it is dropped and made.
    pub(super) fn park(&mut self, identity: &Identity) {
        let Some(column) = self.from.get(identity).filter(|_| self.closure.moved.contains(identity)) else { return };
        let ranges: Vec<&Identity> = column
            .depends_on
            .iter()
            .filter(|needed| needed.kind_word() == "range" && self.closure.rebuilt.contains(*needed))
            .collect();
        if ranges.is_empty() {
            return;
        }
        let (table, name) = (identity.prefix(), identity.last());
        let text = if column.text("type").ends_with("[]") { "text[]" } else { "text" };
        let sql = format!("alter table {table} alter column {name} type {text} using {name}::{text}");
        let node = self.push(column, DROP, column.lineage.role.clone(), vec![Piece::new(sql)], false);
        self.parking.push((identity.clone(), node));
    }

    /// A parked column waits for what uses it to go; its range type goes after that, and the column moves back when it is made.
    pub(super) fn parking_edges(&self) -> Vec<(usize, usize)> {
        let mut edges = Vec::new();
        for (identity, node) in &self.parking {
            let users = self
                .from
                .iter()
                .filter(|fact| fact.depends_on.contains(identity) || fact.parent.as_ref() == Some(identity));
            edges.extend(users.filter_map(|user| Some((*self.dropping.get(&user.identity)?, *node))));
            edges.extend(self.altering.get(identity).map(|back| (*node, *back)));
            for needed in self.from.get(identity).map(|column| column.depends_on.clone()).unwrap_or_default() {
                if let Some(drop) = self.dropping.get(&needed).filter(|_| self.closure.rebuilt.contains(&needed)) {
                    edges.push((*node, *drop));
                }
            }
        }
        edges
    }

    /// A rebuilt type goes after everything of the old state that used it, be it dropped, moved over or itself rebuilt.
    pub(super) fn finishing_edges(&self) -> Vec<(usize, usize)> {
        let last: HashMap<&Identity, usize> = self.finishing.iter().map(|(identity, node)| (identity, *node)).collect();
        let mut edges = Vec::new();
        for (identity, node) in &last {
            edges.extend(self.creating.get(*identity).map(|first| (*first, *node)));
        }
        if last.is_empty() {
            return edges;
        }
        for old in self.from.iter() {
            for needed in &old.depends_on {
                let whole = self.from.get(needed).and_then(|fact| fact.parent.as_ref()).unwrap_or(needed);
                let Some(node) = last.get(needed).or_else(|| last.get(whole)) else { continue };
                let done = [
                    self.dropping.get(&old.identity),
                    self.altering.get(&old.identity),
                    last.get(&old.identity),
                    old.parent.as_ref().and_then(|parent| last.get(parent)),
                ];
                edges.extend(done.into_iter().flatten().map(|first| (*first, *node)));
            }
        }
        edges
    }
}

/// A check that needs nothing but types and extensions can be written inside `create domain`.
fn foldable(check: &Fact) -> bool {
    !check.text("definition").ends_with(" NOT VALID")
        && check.depends_on.iter().all(|needed| {
            ["enum:", "domain:", "composite:", "range:", "extension:", "collation:"]
                .iter()
                .any(|kind| needed.as_str().starts_with(kind))
        })
}
