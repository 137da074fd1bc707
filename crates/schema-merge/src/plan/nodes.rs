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
    /// Rebuilt enums with the node that drops what they were.
    pub(super) finishing: Vec<(Identity, usize)>,
    unsupported: Vec<Unsupported>,
    pub(super) with_data: bool,
}

const DROP: u8 = 0;
pub(super) const BUILD: u8 = 1;
const DATA: u8 = 2;
pub(super) const LATE: u8 = 3;

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

    pub(super) fn push(
        &mut self,
        fact: &Fact,
        phase: u8,
        role: Option<String>,
        pieces: Vec<Piece>,
        destructive: bool,
    ) -> usize {
        self.nodes.push(Node {
            subject: fact.identity.clone(),
            phase,
            kind: fact.kind,
            pieces,
            role,
            destructive,
            data: None,
        });
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
            let destructive = removed
                && matches!(fact.kind, Kind::Table | Kind::Column | Kind::Sequence | Kind::Schema | Kind::Extension)
                || !removed && fact.kind == Kind::Column && fact.optional("generated").is_none()
                || fact.kind == Kind::Enum
                    && self
                        .to
                        .get(&fact.identity)
                        .is_none_or(|new| fact.list("labels").iter().any(|label| !new.list("labels").contains(label)));
            let piece = if self.closure.rebuilt_enums.contains(&fact.identity) {
                Some(Piece::new(format!("alter type {} rename to {}", fact.identity.path(), set_aside(&fact.identity))))
            } else {
                ddl::drop(fact)
            };
            let phase =
                if self.with_data && removed && matches!(fact.kind, Kind::Table | Kind::Column) { LATE } else { DROP };
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
            Kind::Constraint | Kind::Policy | Kind::Trigger | Kind::Default | Kind::Index => {
                fact.depends_on.iter().any(|needed| {
                    self.closure.gone.contains(needed)
                        && Some(needed) != fact.parent.as_ref()
                        && self.from.get(needed).is_some_and(|needed| needed.parent != fact.parent)
                })
            }
            _ => false,
        }
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
                let additions =
                    ddl::enum_additions(&identity, &old.list("labels"), &new.list("labels")).unwrap_or_default();
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
            self.nodes.push(Node {
                subject: step.subject.clone(),
                phase: DATA,
                kind,
                pieces: Vec::new(),
                role: step.role.clone(),
                destructive: step.destructive,
                data: Some(step.clone()),
            });
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
            self.unsupported
                .push(Unsupported::about(&self.nodes[index].subject, "its changes depend on each other in a circle"));
        }
        let mut steps = Vec::new();
        for index in order {
            let node = &self.nodes[index];
            steps.extend(node.data.clone());
            for piece in &node.pieces {
                let role = if piece.session { None } else { node.role.clone().filter(|role| !role.is_empty()) };
                steps.push(Step {
                    sql: piece.sql.clone(),
                    role,
                    subject: node.subject.clone(),
                    destructive: node.destructive,
                    data: false,
                });
            }
        }
        self.unsupported.sort_by(|left, right| {
            (&left.kind, &left.schema, &left.name).cmp(&(&right.kind, &right.schema, &right.name))
        });
        self.unsupported.dedup();
        Plan { steps, unsupported: self.unsupported }
    }
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
pub(super) fn set_aside(identity: &Identity) -> String {
    let name: String = unquote_identifier(identity.last()).chars().take(50).collect();
    quote_identifier(&format!("{name}__replaced"))
}

/// The name a fact takes among relations and types of its schema; an identity column takes one for its sequence.
pub(crate) fn relation_name(fact: &Fact) -> Option<String> {
    match fact.kind {
        Kind::Table | Kind::View | Kind::Sequence | Kind::Index | Kind::Enum | Kind::Domain => {
            Some(fact.identity.path().to_owned())
        }
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
    let length = |name: &str| {
        name.strip_prefix("character varying(")
            .and_then(|rest| rest.strip_suffix(')'))
            .and_then(|digits| digits.parse::<u32>().ok())
    };
    match (length(from), length(to)) {
        (Some(old), Some(new)) => old <= new,
        (Some(_), None) => matches!(to, "character varying" | "text"),
        _ => matches!(
            (from, to),
            ("character varying", "text") | ("text", "character varying") | ("real", "double precision")
        ),
    }
}
