//! Facts that change, as nodes with their statements, and the edges between them.

use std::collections::{HashMap, HashSet};

use super::closure::Closure;
use super::graph;
use super::{Plan, Step, Unsupported};
use crate::access::DefaultPrivileges;
use crate::catalog::{Catalog, Fact, Identity, Kind, quote_identifier, unquote_identifier};
use crate::ddl::{self, Change, Piece};

/// One unit of work; its pieces run together.
pub(super) struct Node {
    pub(super) subject: Identity,
    /// Drops come first where dependencies leave a choice, and what waits for data last.
    pub(super) phase: u8,
    pub(super) kind: Kind,
    pub(super) pieces: Vec<Piece>,
    pub(super) role: Option<String>,
    pub(super) destructive: bool,
    pub(super) data: Option<Step>,
}

/// Gathers nodes and edges.
pub(super) struct Builder<'a> {
    pub(super) from: &'a Catalog,
    pub(super) to: &'a Catalog,
    pub(super) closure: Closure,
    pub(super) defaults: DefaultPrivileges<'a>,
    pub(super) nodes: Vec<Node>,
    pub(super) edges: Vec<(usize, usize)>,
    pub(super) dropping: HashMap<Identity, usize>,
    pub(super) creating: HashMap<Identity, usize>,
    pub(super) altering: HashMap<Identity, usize>,
    /// Objects made by the session's role and handed over, so that their first grants are only the owner's.
    pub(super) handed_over: HashSet<Identity>,
    finishing: Vec<(Identity, usize)>,
    unsupported: Vec<Unsupported>,
    with_data: bool,
}

const DROP: u8 = 0;
const BUILD: u8 = 1;
const DATA: u8 = 2;
const LATE: u8 = 3;

impl<'a> Builder<'a> {
    pub(super) fn new(from: &'a Catalog, to: &'a Catalog, mut closure: Closure, with_data: bool) -> Self {
        let unsupported = std::mem::take(&mut closure.unsupported);
        Self {
            from,
            to,
            closure,
            defaults: DefaultPrivileges::of(from),
            nodes: Vec::new(),
            edges: Vec::new(),
            dropping: HashMap::new(),
            creating: HashMap::new(),
            altering: HashMap::new(),
            handed_over: HashSet::new(),
            finishing: Vec::new(),
            unsupported,
            with_data,
        }
    }

    pub(super) fn push(&mut self, fact: &Fact, phase: u8, role: Option<String>, pieces: Vec<Piece>, destructive: bool) -> usize {
        self.nodes.push(Node { subject: fact.identity.clone(), phase, kind: fact.kind, pieces, role, destructive, data: None });
        self.nodes.len() - 1
    }

    pub(super) fn is_created(&self, identity: &Identity) -> bool {
        self.to.contains(identity) && (!self.from.contains(identity) || self.closure.gone.contains(identity))
    }

    /// Everything that goes, either by a statement or with its parent.
    pub(super) fn drops(&mut self) {
        let mut gone: Vec<&Fact> = self.from.iter().filter(|fact| self.closure.gone.contains(&fact.identity)).collect();
        gone.sort_by_key(|fact| (depth(self.from, fact), &fact.identity));
        for fact in gone {
            let parent_node = fact.parent.as_ref().and_then(|parent| self.dropping.get(parent)).copied();
            if let Some(node) = parent_node.filter(|_| !self.explicit(fact)) {
                self.dropping.insert(fact.identity.clone(), node);
                continue;
            }
            let removed = !self.to.contains(&fact.identity);
            let destructive = removed && matches!(fact.kind, Kind::Table | Kind::Column | Kind::Sequence | Kind::Schema | Kind::Extension)
                || !removed && fact.kind == Kind::Column && fact.optional("generated").is_none()
                || fact.kind == Kind::Enum;
            let piece = if self.closure.rebuilt_enums.contains(&fact.identity) {
                Some(Piece::new(format!("alter type {} rename to {}", fact.identity.path(), set_aside(&fact.identity))))
            } else {
                ddl::drop(fact)
            };
            let phase = if self.with_data && removed && matches!(fact.kind, Kind::Table | Kind::Column) { LATE } else { DROP };
            if let Some(piece) = piece {
                let node = self.push(fact, phase, fact.lineage.role.clone(), vec![piece], destructive);
                self.dropping.insert(fact.identity.clone(), node);
            }
        }
    }

    /// Dropped by name even though its parent goes too, because what it stands on goes as well and orders could cross.
    fn explicit(&self, fact: &Fact) -> bool {
        match fact.kind {
            Kind::OwnedBy => true,
            Kind::Constraint | Kind::Policy | Kind::Trigger | Kind::Default | Kind::Index => fact.depends_on.iter().any(|needed| {
                self.closure.gone.contains(needed)
                    && Some(needed) != fact.parent.as_ref()
                    && self.from.get(needed).is_some_and(|needed| needed.parent != fact.parent)
            }),
            _ => false,
        }
    }

    /// Everything that is made, with columns and simple defaults folded into their table or column.
    pub(super) fn creates(&mut self) {
        let to = self.to;
        let mut columns: HashMap<&Identity, Vec<&Fact>> = HashMap::new();
        for fact in to.iter().filter(|fact| fact.kind == Kind::Column) {
            if let Some(parent) = &fact.parent {
                columns.entry(parent).or_default().push(fact);
            }
        }
        for fact in to.iter().filter(|fact| fact.kind == Kind::Table && self.is_created(&fact.identity)).collect::<Vec<_>>() {
            let mut own = columns.remove(&fact.identity).unwrap_or_default();
            own.sort_by(|left, right| (left.lineage.position, &left.identity).cmp(&(right.lineage.position, &right.identity)));
            let listed: Vec<_> = own.iter().map(|column| (*column, self.default_of(column).filter(|default| inline(default)))).collect();
            let pieces = self.made_by_owner(fact, ddl::create_table(fact, &listed));
            let node = self.push(fact, BUILD, fact.lineage.role.clone(), pieces, false);
            self.creating.insert(fact.identity.clone(), node);
            for (column, default) in listed {
                self.creating.insert(column.identity.clone(), node);
                self.creating.extend(default.map(|default| (default.identity.clone(), node)));
            }
        }
        for fact in to.iter() {
            if !self.is_created(&fact.identity) || self.creating.contains_key(&fact.identity) || matches!(fact.kind, Kind::Table | Kind::Grant) {
                continue;
            }
            if fact.kind == Kind::Column {
                self.add_column(fact);
            } else if fact.kind != Kind::Default || !fact.parent.as_ref().is_some_and(|column| self.folded(column)) {
                self.create(fact);
            }
        }
    }

    fn folded(&self, column: &Identity) -> bool {
        // A default of a new column on an old table is always part of `add column`.
        column.as_str().starts_with("column:")
            && self.is_created(column)
            && self.to.get(column).and_then(|fact| fact.parent.as_ref()).is_some_and(|table| !self.is_created(table))
    }

    fn create(&mut self, fact: &Fact) {
        let on_new_table = fact.parent.as_ref().is_some_and(|parent| self.is_created(parent));
        let pieces = self.made_by_owner(fact, ddl::create(fact));
        if pieces.is_empty() {
            return;
        }
        let late = self.with_data && !on_new_table && pieces.iter().any(|piece| piece.after_data);
        let node = self.push(fact, if late { LATE } else { BUILD }, fact.lineage.role.clone(), pieces, false);
        self.creating.insert(fact.identity.clone(), node);
        if self.closure.rebuilt_enums.contains(&fact.identity) {
            let old = format!("drop type {}.{}", fact.identity.prefix(), set_aside(&fact.identity));
            let last = self.push(fact, BUILD, fact.lineage.role.clone(), vec![Piece::new(old)], false);
            self.finishing.push((fact.identity.clone(), last));
        }
    }

    fn default_of(&self, column: &Fact) -> Option<&'a Fact> {
        self.to.get(&Identity::new(Kind::Default, column.identity.path())).filter(|_| column.optional("generated").is_none())
    }

    fn add_column(&mut self, column: &Fact) {
        let default = self.default_of(column);
        let table = column.identity.prefix();
        let filled_by_data = self.with_data && column.flag("not_null") && default.is_none() && column.optional("generated").is_none() && no_identity(column);
        let mut first = column.clone();
        if filled_by_data {
            first.fields.insert("not_null".to_owned(), false.into());
        }
        let mut pieces = vec![Piece::new(format!("alter table {table} add column {}", ddl::column_definition(&first, default)))];
        let mut bare = column.clone();
        for field in ["type", "collation", "not_null", "identity", "generated"] {
            bare.fields.insert(field.to_owned(), column.fields.get(field).cloned().unwrap_or_default());
        }
        for (field, empty) in [("storage", serde_json::Value::Null), ("compression", serde_json::Value::Null), ("statistics", serde_json::Value::Null), ("options", serde_json::json!([]))] {
            bare.fields.insert(field.to_owned(), empty);
        }
        if let Change::InPlace(storage) = ddl::alter(&bare, column, self.to) {
            pieces.extend(storage);
        }
        let node = self.push(column, BUILD, column.lineage.role.clone(), pieces, false);
        self.creating.insert(column.identity.clone(), node);
        self.creating.extend(default.map(|default| (default.identity.clone(), node)));
        if filled_by_data {
            let close = vec![Piece::after_data(format!("alter table {table} alter column {} set not null", column.identity.last()))];
            let late = self.push(column, LATE, column.lineage.role.clone(), close, false);
            self.edges.push((node, late));
        }
    }

    /// Makes an object as its owner, or as the session's role where the owner may not create there.
    fn made_by_owner(&mut self, fact: &Fact, mut pieces: Vec<Piece>) -> Vec<Piece> {
        let Some(word) = ddl::owner_word(fact.kind).filter(|word| *word != "schema") else { return pieces };
        if pieces.is_empty() || self.may_create(fact) {
            return pieces;
        }
        for piece in &mut pieces {
            piece.session = true;
        }
        pieces.push(ddl::set_owner(fact, word));
        pieces.extend(ddl::strip_statement(fact, &self.defaults.grantees()).map(Piece::new));
        self.handed_over.insert(fact.identity.clone());
        pieces
    }

    fn may_create(&self, fact: &Fact) -> bool {
        let Some(role) = fact.lineage.role.as_deref() else { return false };
        let schema = Identity::new(Kind::Schema, fact.identity.names()[0]);
        let granted = |grantee: &str| self.to.contains(&Identity::about(Kind::Grant, &schema, &format!("/{grantee}/CREATE")));
        self.to.get(&schema).is_some_and(|schema| schema.text("owner") == role) || granted(role) || granted("public")
    }

    /// Everything that changes in place.
    pub(super) fn alters(&mut self) {
        let (from, to) = (self.from, self.to);
        let mut changed: Vec<_> = self.closure.altered.union(&self.closure.retyped_by_enum).cloned().collect();
        changed.sort();
        for identity in changed {
            let (Some(old), Some(new)) = (from.get(&identity), to.get(&identity)) else { continue };
            let mut pieces = Vec::new();
            if self.closure.retyped_by_enum.contains(&identity) && old.text("type") == new.text("type") {
                pieces.push(Piece::new(ddl::retype(new, old.text("type"), true)));
            }
            if old.kind == Kind::Enum {
                let additions = ddl::enum_additions(&identity, &old.list("labels"), &new.list("labels")).unwrap_or_default();
                pieces.extend(additions.into_iter().map(Piece::new));
            }
            if let Change::InPlace(changes) = ddl::alter(old, new, to) {
                pieces.extend(changes);
            }
            self.alter(old, new, pieces);
        }
    }

    fn alter(&mut self, old: &Fact, new: &Fact, pieces: Vec<Piece>) {
        let destructive = old.kind == Kind::Column && !widens(old.text("type"), new.text("type"));
        // An object's own change runs as its old owner, a part's change after the whole has changed hands.
        let role = if new.parent.is_none() { old.lineage.role.clone() } else { new.lineage.role.clone() };
        let (late, early): (Vec<_>, Vec<_>) = pieces.into_iter().partition(|piece| self.with_data && piece.after_data);
        let node = self.push(new, BUILD, role.clone(), early, destructive);
        self.altering.insert(new.identity.clone(), node);
        if !late.is_empty() {
            let after = self.push(new, LATE, role, late, false);
            self.edges.push((node, after));
        }
    }

    /// Orders tear-down by the old state's dependencies and building by the new one's.
    pub(super) fn edges(&mut self) {
        let mut edges = Vec::new();
        for old in self.from.iter() {
            let going = self.dropping.get(&old.identity);
            let changing = self.altering.get(&old.identity);
            for needed in old.depends_on.iter().chain(&old.parent) {
                let (drop, alter) = (self.dropping.get(needed), self.altering.get(needed));
                edges.extend(going.zip(drop).map(|(first, then)| (*first, *then)));
                edges.extend(going.zip(alter).map(|(first, then)| (*first, *then)));
                if !self.closure.rebuilt_enums.contains(needed) {
                    edges.extend(changing.zip(drop).map(|(first, then)| (*first, *then)));
                }
            }
        }
        for new in self.to.iter() {
            let (creating, altering) = (self.creating.get(&new.identity), self.altering.get(&new.identity));
            for needed in new.depends_on.iter().chain(&new.parent) {
                for first in [self.creating.get(needed), self.altering.get(needed)].into_iter().flatten() {
                    edges.extend(creating.map(|then| (*first, *then)));
                    edges.extend(altering.map(|then| (*first, *then)));
                }
            }
            edges.extend(self.dropping.get(&new.identity).zip(creating).map(|(first, then)| (*first, *then)));
        }
        edges.extend(self.name_edges());
        for (enumeration, last) in &self.finishing {
            edges.extend(self.creating.get(enumeration).map(|first| (*first, *last)));
            for old in self.from.iter().filter(|old| old.depends_on.contains(enumeration)) {
                let done = [self.dropping.get(&old.identity), self.altering.get(&old.identity)];
                edges.extend(done.into_iter().flatten().map(|first| (*first, *last)));
            }
        }
        self.edges.extend(edges.into_iter().filter(|(first, then)| first != then));
    }

    /// A name must be free before something else takes it.
    fn name_edges(&self) -> Vec<(usize, usize)> {
        let mut freed: HashMap<String, Vec<usize>> = HashMap::new();
        for (identity, node) in &self.dropping {
            if let Some(name) = self.from.get(identity).and_then(relation_name) {
                freed.entry(name).or_default().push(*node);
            }
        }
        let mut edges = Vec::new();
        for (identity, node) in &self.creating {
            if let Some(name) = self.to.get(identity).and_then(relation_name) {
                edges.extend(freed.get(&name).into_iter().flatten().map(|first| (*first, *node)));
            }
        }
        edges
    }

    /// Puts data statements, in their order, before everything late and after everything that does not follow from late work.
    pub(super) fn data(&mut self, data: &[Step]) {
        let mut previous: Option<usize> = None;
        let late: Vec<usize> = (0..self.nodes.len()).filter(|index| self.nodes[*index].phase == LATE).collect();
        let after = graph::reachable(self.nodes.len(), &self.edges, &late);
        for step in data {
            let kind = Kind::Unmodelled;
            self.nodes.push(Node { subject: step.subject.clone(), phase: DATA, kind, pieces: Vec::new(), role: step.role.clone(), destructive: step.destructive, data: Some(step.clone()) });
            let node = self.nodes.len() - 1;
            if let Some(before) = previous {
                self.edges.push((before, node));
            } else {
                self.edges.extend((0..node).filter(|index| !after[*index]).map(|index| (index, node)));
            }
            previous = Some(node);
        }
        if let Some(last) = previous {
            self.edges.extend(late.into_iter().map(|index| (last, index)));
        }
    }

    /// Sorts the nodes and takes their statements.
    pub(super) fn finish(mut self) -> Plan {
        let keys: Vec<_> = self.nodes.iter().map(|node| (node.phase, node.kind, node.subject.clone())).collect();
        let (order, stuck) = graph::sort(&keys, &self.edges);
        for index in stuck {
            self.unsupported.push(Unsupported::about(&self.nodes[index].subject, "its changes depend on each other in a circle"));
        }
        let mut steps = Vec::new();
        for index in order {
            let node = &self.nodes[index];
            steps.extend(node.data.clone());
            for piece in &node.pieces {
                let role = if piece.session { None } else { node.role.clone().filter(|role| !role.is_empty()) };
                steps.push(Step { sql: piece.sql.clone(), role, subject: node.subject.clone(), destructive: node.destructive, data: false });
            }
        }
        self.unsupported.sort_by(|left, right| (&left.kind, &left.schema, &left.name).cmp(&(&right.kind, &right.schema, &right.name)));
        self.unsupported.dedup();
        Plan { steps, unsupported: self.unsupported }
    }
}

/// A default that needs nothing but types and sequences can be written inside `create table`.
fn inline(default: &Fact) -> bool {
    default.depends_on.iter().all(|needed| ["sequence:", "enum:", "domain:", "extension:", "column:"].iter().any(|kind| needed.as_str().starts_with(kind)))
}

fn no_identity(column: &Fact) -> bool {
    column.fields.get("identity").is_none_or(serde_json::Value::is_null)
}

fn depth(catalog: &Catalog, fact: &Fact) -> usize {
    let (mut depth, mut current) = (0, fact);
    while let Some(parent) = current.parent.as_ref().and_then(|parent| catalog.get(parent)) {
        depth += 1;
        current = parent;
    }
    depth
}

/// The name an old enum carries while columns move over.
fn set_aside(identity: &Identity) -> String {
    let name: String = unquote_identifier(identity.last()).chars().take(50).collect();
    quote_identifier(&format!("{name}__replaced"))
}

/// The name a fact takes among relations and types of its schema; an identity column takes one for its sequence.
pub(crate) fn relation_name(fact: &Fact) -> Option<String> {
    match fact.kind {
        Kind::Table | Kind::View | Kind::Sequence | Kind::Index | Kind::Enum | Kind::Domain => Some(fact.identity.path().to_owned()),
        Kind::Column => Some(fact.fields.get("identity")?.get("sequence")?.as_str()?.to_owned()),
        Kind::Constraint if matches!(fact.text("type"), "primary" | "unique" | "exclusion") => {
            Some(format!("{}.{}", fact.identity.names()[0], fact.identity.last()))
        }
        _ => None,
    }
}

/// True when every value of the old type is kept by the new one.
fn widens(from: &str, to: &str) -> bool {
    if from == to {
        return true;
    }
    let rank = |name: &str| ["smallint", "integer", "bigint", "numeric"].iter().position(|known| *known == name);
    if let (Some(old), Some(new)) = (rank(from), rank(to)) {
        return old < new;
    }
    let length = |name: &str| name.strip_prefix("character varying(").and_then(|rest| rest.strip_suffix(')')).and_then(|digits| digits.parse::<u32>().ok());
    match (length(from), length(to)) {
        (Some(old), Some(new)) => old <= new,
        (Some(_), None) => matches!(to, "character varying" | "text"),
        _ => matches!((from, to), ("character varying", "text") | ("text", "character varying") | ("real", "double precision")),
    }
}
