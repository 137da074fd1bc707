//! Order around tables that come under a parent or leave one, and parts of partitioned indexes.
//!
//! A table is attached when it and its parent look as the new catalog says, so that Postgres finds its indexes and checks there, and
//! detached before anything else changes on either.

use hashbrown::{HashMap, HashSet};

use super::families;
use super::nodes::{BUILD, Builder};
use crate::catalog::{Catalog, Fact, Identity, Inherited, Kind};
use crate::ddl::{self, Change};

impl<'a> Builder<'a> {
    /// True when a part of a child goes by itself with its parent's.
    pub(super) fn follows_in_drop(&self, fact: &Fact) -> Option<Option<usize>> {
        if fact.lineage.inherited == Inherited::Only && fact.kind != Kind::Default {
            let above = self.families.followed(fact, self.from)?;
            return Some(self.dropping.get(&above.identity).copied());
        }
        let whole = families::whole(fact, self.from)?;
        let table_goes = fact.parent.as_ref().is_some_and(|table| self.closure.gone.contains(table));
        // When the whole's table goes, its partitions leave it first, and keep what was a part.
        let whole_table_goes = whole.parent.as_ref().is_some_and(|table| self.closure.gone.contains(table));
        (!table_goes && !whole_table_goes && self.families.stays_attached(fact, self.from))
            .then(|| self.dropping.get(&whole.identity).copied())
    }

    /// True when it goes with its table and never by a statement of its own.
    pub(super) fn silent_part(fact: &Fact) -> bool {
        fact.lineage.inherited == Inherited::Only && fact.kind != Kind::Default
            || fact.optional("of").is_some() && matches!(fact.kind, Kind::Index | Kind::Constraint)
    }

    /// True when a foreign key that stays points at a table above, so that Postgres drops no partition that is attached.
    pub(super) fn referenced(&self, link: &Fact) -> bool {
        let above = self.families.ancestors(link.parent.as_ref());
        self.from.iter().any(|fact| !self.closure.gone.contains(&fact.identity) && self.points_at(fact, &above))
    }

    fn points_at(&self, fact: &Fact, tables: &HashSet<Identity>) -> bool {
        fact.is_foreign_key()
            && fact.depends_on.iter().any(|needed| {
                tables.contains(needed)
                    || self
                        .from
                        .get(needed)
                        .and_then(|part| part.parent.as_ref())
                        .is_some_and(|table| tables.contains(table))
            })
    }

    /// A foreign key to a partitioned table goes before any of its partitions.
    fn keys_before_partitions(&self) -> Vec<(usize, usize)> {
        let links: Vec<_> = self
            .from
            .iter()
            .filter(|link| link.kind == Kind::Partition)
            .filter_map(|link| {
                Some((self.families.ancestors(link.parent.as_ref()), *self.dropping.get(link.parent.as_ref()?)?))
            })
            .collect();
        let mut edges = Vec::new();
        for key in self.from.iter().filter(|fact| fact.is_foreign_key()) {
            let Some(node) = self.dropping.get(&key.identity) else { continue };
            let with_table = key.parent.as_ref().and_then(|own| self.dropping.get(own)) == Some(node);
            let family = self.families.ancestors(key.parent.as_ref());
            for (above, table) in &links {
                // Tables that refer to each other within a partitioned one leave it first.
                let within = with_table && key.parent.iter().chain(&family).any(|own| above.contains(own));
                if self.points_at(key, above) && !within {
                    edges.push((*node, *table));
                }
            }
        }
        edges
    }

    /// The columns a new table declares, and its `inherits` clause.
    pub(super) fn declared(&self, table: &Fact, columns: Vec<&'a Fact>) -> (Vec<&'a Fact>, Vec<&'a Fact>, String) {
        let links = families::inheritance_of(self.to, &table.identity);
        if links.is_empty() {
            return (columns, Vec::new(), String::new());
        }
        let clause = ddl::inherits_clause(&links);
        let (inherited, own) = columns.into_iter().partition(|column| column.lineage.inherited == Inherited::Only);
        (own, inherited, clause)
    }

    /// Makes what a child has of its own: where its parent's statement brings the column or check, only what differs.
    pub(super) fn inherited_parts(&mut self) {
        let to = self.to;
        let mut parts: Vec<&Fact> = to
            .iter()
            .filter(|fact| fact.lineage.inherited == Inherited::Only && fact.kind != Kind::Default)
            .filter(|fact| self.is_created(&fact.identity))
            .filter(|fact| !self.creating.contains_key(&fact.identity))
            .collect();
        parts.sort_by_key(|fact| (self.families.generation(fact), &fact.identity));
        for part in parts {
            let new_table = part.parent.as_ref().is_some_and(|table| self.is_created(table));
            let with_parents =
                new_table && part.parent.as_ref().is_some_and(|table| !families::inheritance_of(to, table).is_empty());
            let above = if with_parents { self.families.above(part, to) } else { self.families.followed(part, to) };
            match above {
                Some(above) => self.follow(part, above, with_parents),
                None if part.kind == Kind::Column && !new_table => self.add_column(part),
                None if part.kind == Kind::Column => {}
                None => self.create(part),
            }
        }
    }

    fn follow(&mut self, part: &'a Fact, above: &Fact, with_parents: bool) {
        let bringing = if with_parents { part.parent.as_ref() } else { Some(&above.identity) }
            .and_then(|identity| self.creating.get(identity))
            .copied();
        if let Some(node) = bringing {
            self.creating.insert(part.identity.clone(), node);
        }
        if part.kind != Kind::Column {
            return;
        }
        let mut brought = above.clone();
        brought.identity = part.identity.clone();
        brought.fields.insert("identity".to_owned(), serde_json::Value::Null);
        let settings: &[&str] = if with_parents {
            &["statistics", "options", "foreign_options"]
        } else {
            &["storage", "compression", "statistics", "options", "foreign_options"]
        };
        for field in settings {
            match part.fields.get(*field) {
                Some(serde_json::Value::Array(_)) => brought.fields.insert((*field).to_owned(), serde_json::json!([])),
                Some(_) => brought.fields.insert((*field).to_owned(), serde_json::Value::Null),
                None => brought.fields.shift_remove(*field),
            };
        }
        let mut pieces = match ddl::alter(&brought, part, self.to) {
            Change::InPlace(pieces) if brought.fields != part.fields => pieces,
            _ => Vec::new(),
        };
        let default = |column: &Fact| self.to.get(&Identity::new(Kind::Default, column.identity.path()));
        match (default(above), default(part)) {
            (Some(theirs), own) if own.is_none_or(|own| own.text("expression") != theirs.text("expression")) => {
                let mut gone = theirs.clone();
                gone.identity = Identity::new(Kind::Default, part.identity.path());
                gone.lineage.has_children = part.lineage.has_children;
                pieces.extend(own.map_or_else(|| ddl::drop(&gone).into_iter().collect(), ddl::create));
            }
            (None, Some(own)) => pieces.extend(ddl::create(own)),
            _ => {}
        }
        let own_default = default(part).map(|default| default.identity.clone());
        if pieces.is_empty() {
            self.creating.extend(own_default.zip(bringing));
            return;
        }
        let node = self.push(part, BUILD, part.lineage.role.clone(), pieces, false);
        self.edges.extend(bringing.map(|first| (first, node)));
        self.creating.insert(part.identity.clone(), node);
        self.creating.extend(own_default.map(|default| (default, node)));
    }

    /// An index over foreign partitions, which have no part of it, is valid only when Postgres makes it over all partitions at once: its
    /// other parts are made before it, and it finds them.
    pub(super) fn made_over_parts(&self, whole: &Fact) -> bool {
        whole.kind == Kind::Index
            && whole.parent.as_ref().is_some_and(|table| self.families.has_foreign_part(table, self.to))
    }

    /// True when an index is a part of one that is made after it.
    pub(super) fn found_by_whole(&self, part: &Fact, needed: &Identity) -> bool {
        part.optional("of").is_some()
            && families::whole(part, self.to)
                .is_some_and(|whole| whole.identity == *needed && self.made_over_parts(whole))
    }

    /// Attaches parts of indexes whose tables are attached before and after.
    pub(super) fn attach_indexes(&mut self) {
        let to = self.to;
        let parts: Vec<&Fact> = to
            .iter()
            .filter(|part| {
                families::whole(part, to).is_some_and(|whole| {
                    self.families.stays_attached(part, to)
                        && (self.is_created(&part.identity)
                            || self.is_created(&whole.identity)
                            || self.from.get(&part.identity).is_some_and(|old| old.optional("of").is_none()))
                })
            })
            .collect();
        let links: Vec<usize> = self
            .creating
            .iter()
            .filter(|(identity, _)| identity.as_str().starts_with("partition:"))
            .map(|(_, node)| *node)
            .collect();
        for part in parts {
            let Some(whole) = families::whole(part, to) else { continue };
            let node = self.push(part, BUILD, whole.lineage.role.clone(), vec![ddl::attach_index(part)], false);
            let made = [&part.identity, &whole.identity].map(|identity| self.creating.get(identity).copied());
            self.edges.extend(made.into_iter().flatten().chain(links.iter().copied()).map(|first| (first, node)));
            self.attaching.insert(part.identity.clone(), node);
        }
    }

    /// Edges between links and everything on the two tables they are between.
    pub(super) fn link_edges(&mut self) {
        if self.families.is_empty() {
            return;
        }
        let (mut made, mut changed, mut dropped) = (HashMap::new(), HashMap::new(), HashMap::new());
        note(&mut made, &self.creating, self.to);
        note(&mut changed, &self.altering, self.to);
        note(&mut dropped, &self.dropping, self.from);
        let nothing = HashSet::new();
        let on = |nodes: &HashMap<Identity, HashSet<usize>>, table: &Identity| -> Vec<usize> {
            nodes.get(table).unwrap_or(&nothing).iter().copied().collect()
        };
        let mut edges = Vec::new();
        for link in self.to.iter().filter(|fact| matches!(fact.kind, Kind::Partition | Kind::Inheritance)) {
            let Some(node) = self.creating.get(&link.identity) else { continue };
            if link.parent.as_ref().and_then(|table| self.creating.get(table)) == Some(node) {
                continue;
            }
            for table in link.parent.iter().chain(&link.depends_on) {
                for nodes in [&made, &changed, &dropped] {
                    edges.extend(on(nodes, table).into_iter().map(|first| (first, *node)));
                }
            }
        }
        for link in self.from.iter().filter(|fact| matches!(fact.kind, Kind::Partition | Kind::Inheritance)) {
            let Some(node) = self.dropping.get(&link.identity).copied() else { continue };
            if link.parent.as_ref().and_then(|table| self.dropping.get(table)) == Some(&node) {
                continue;
            }
            for table in link.parent.iter().chain(&link.depends_on) {
                for nodes in [&made, &changed, &dropped] {
                    edges.extend(on(nodes, table).into_iter().map(|then| (node, then)));
                }
            }
            // A range is free for another partition only when this one has left.
            for other in
                self.to.iter().filter(|other| other.kind == Kind::Partition && other.text("of") == link.text("of"))
            {
                edges.extend(self.creating.get(&other.identity).map(|then| (node, *then)));
            }
        }
        edges.extend(self.declared_first());
        edges.extend(self.settled_above());
        edges.extend(self.parts_in_order());
        edges.extend(self.whole_before_references());
        edges.extend(self.users_of_followers());
        edges.extend(self.keys_before_partitions());
        edges.extend(self.trigger_states());
        self.edges.extend(edges.into_iter().filter(|(first, then)| first != then));
    }

    /// What is said of a partition's copy of a trigger is said while the table is attached.
    fn trigger_states(&self) -> Vec<(usize, usize)> {
        let link = |nodes: &HashMap<Identity, usize>, state: &Fact| {
            state.parent.as_ref().and_then(|table| nodes.get(&Identity::new(Kind::Partition, table.path()))).copied()
        };
        let states = |catalog: &'a Catalog| {
            catalog.iter().filter(|fact| fact.kind == Kind::Trigger && fact.optional("of").is_some())
        };
        let mut edges = Vec::new();
        for state in states(self.to) {
            edges.extend(link(&self.creating, state).zip(self.creating.get(&state.identity).copied()));
        }
        for state in states(self.from) {
            edges.extend(self.dropping.get(&state.identity).copied().zip(link(&self.dropping, state)));
        }
        edges
    }
}

/// Nodes about columns, checks, keys and indexes by their table.
fn note(found: &mut HashMap<Identity, HashSet<usize>>, nodes: &HashMap<Identity, usize>, catalog: &Catalog) {
    for (identity, node) in nodes {
        let Some(fact) = catalog.get(identity) else { continue };
        let counts = match fact.kind {
            Kind::Column | Kind::Index => true,
            Kind::Constraint => fact.text("type") != "foreign",
            _ => false,
        };
        if let Some(table) = fact.parent.clone().filter(|_| counts) {
            found.entry(table).or_default().insert(*node);
        }
    }
}
