//! Facts that change, as nodes with their statements, and the edges between them.

use hashbrown::{HashMap, HashSet};

use super::closure::Closure;
use super::conversion;
use super::families::Families;
use super::graph;
use super::{Plan, Step, Unsupported};
use crate::access::DefaultPrivileges;
use crate::catalog::{Catalog, Fact, Identity, Inherited, Kind, MAX_DEPTH, quote_identifier, unquote_identifier};
use crate::ddl::{self, Change, Piece};
use crate::rows::refreshes;

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
    pub(super) families: Families,
    pub(super) closure: Closure,
    /// What of the new catalog is made: it is new, or goes and comes back.
    made: HashSet<&'a Identity>,
    pub(super) defaults: DefaultPrivileges<'a>,
    pub(super) nodes: Vec<Node>,
    pub(super) edges: Vec<(usize, usize)>,
    pub(super) dropping: HashMap<Identity, usize>,
    pub(super) creating: HashMap<Identity, usize>,
    pub(super) altering: HashMap<Identity, usize>,
    /// Parts of partitioned indexes with the node that attaches them.
    pub(super) attaching: HashMap<Identity, usize>,
    /// Objects made by the session's role and handed over, so that their first grants are only the owner's.
    pub(super) handed_over: HashSet<Identity>,
    /// Rebuilt types with the node that drops what they were.
    pub(super) finishing: Vec<(Identity, usize)>,
    /// Columns that hold text while their range type is made anew, with the node that makes them so.
    pub(super) parking: Vec<(Identity, usize)>,
    unsupported: Vec<Unsupported>,
    pub(super) with_data: bool,
}

pub(super) const DROP: u8 = 0;
pub(super) const BUILD: u8 = 1;
const DATA: u8 = 2;
pub(super) const LATE: u8 = 3;

impl<'a> Builder<'a> {
    pub(super) fn new(
        from: &'a Catalog,
        to: &'a Catalog,
        families: Families,
        mut closure: Closure,
        with_data: bool,
    ) -> Self {
        let unsupported = std::mem::take(&mut closure.unsupported);
        let made = to.beside(from).filter(|(new, old)| old.is_none() || closure.gone.contains(&new.identity));
        let made = made.map(|(new, _)| &new.identity).collect();
        Self {
            from,
            to,
            families,
            closure,
            made,
            defaults: DefaultPrivileges::of(from),
            nodes: Vec::new(),
            edges: Vec::new(),
            dropping: HashMap::new(),
            creating: HashMap::new(),
            altering: HashMap::new(),
            attaching: HashMap::new(),
            handed_over: HashSet::new(),
            finishing: Vec::new(),
            parking: Vec::new(),
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
        self.made.contains(identity)
    }

    /// Everything that goes, either by a statement or with its parent.
    pub(super) fn drops(&mut self) {
        let mut gone: Vec<&Fact> = self.from.iter().filter(|fact| self.closure.gone.contains(&fact.identity)).collect();
        gone.sort_by_key(|fact| (depth(self.from, fact), self.families.generation(fact), &fact.identity));
        for fact in gone {
            if let Some(node) = self.follows_in_drop(fact) {
                self.dropping.extend(node.map(|node| (fact.identity.clone(), node)));
                continue;
            }
            let parent_node = fact.parent.as_ref().and_then(|parent| self.dropping.get(parent)).copied();
            if let Some(node) = parent_node.filter(|_| !self.explicit(fact)) {
                self.dropping.insert(fact.identity.clone(), node);
                continue;
            }
            let removed = !self.to.contains(&fact.identity);
            let destructive = removed
                && matches!(
                    fact.kind,
                    Kind::Table | Kind::Column | Kind::Attribute | Kind::Sequence | Kind::Schema | Kind::Extension
                )
                || !removed && fact.kind == Kind::Table
                || !removed && fact.kind == Kind::Column && fact.optional("generated").is_none()
                || self.loses(fact);
            let word = if fact.kind == Kind::Collation { "collation" } else { "type" };
            let piece = if self.closure.rebuilt.contains(&fact.identity) && fact.kind != Kind::Range {
                Some(Piece::new(format!(
                    "alter {word} {} rename to {}",
                    fact.identity.path(),
                    free_name(self.from, &fact.identity)
                )))
            } else {
                ddl::drop(fact)
            };
            let phase =
                if self.with_data && removed && matches!(fact.kind, Kind::Table | Kind::Column) { LATE } else { DROP };
            if let Some(piece) = piece {
                let renames = self.closure.relabelled.get(&fact.identity).map(Vec::as_slice).unwrap_or_default();
                let mut pieces: Vec<Piece> =
                    ddl::rename_labels(&fact.identity, renames).into_iter().map(Piece::new).collect();
                pieces.push(piece);
                let role = match fact.kind {
                    // A partition is taken out by who owns the whole.
                    Kind::Partition => {
                        fact.depends_on.iter().find_map(|whole| self.from.get(whole)?.lineage.role.clone())
                    }
                    _ => fact.lineage.role.clone(),
                };
                let node = self.push(fact, phase, role, pieces, destructive);
                self.dropping.insert(fact.identity.clone(), node);
            }
        }
    }

    /// Dropped by name even though its parent goes too, because what it stands on goes as well and orders could cross.
    fn explicit(&self, fact: &Fact) -> bool {
        if Self::silent_part(fact) {
            return false;
        }
        match fact.kind {
            Kind::OwnedBy => true,
            Kind::Partition => self.referenced(fact),
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
        let mut changed: Vec<_> = self.closure.altered.union(&self.closure.moved).cloned().collect();
        changed.sort();
        for identity in changed {
            let (Some(old), Some(new)) = (from.get(&identity), to.get(&identity)) else { continue };
            let mut pieces = Vec::new();
            let moves = self.closure.moved.contains(&identity) && old.text("type") == new.text("type");
            if moves {
                match conversion::retype(new, from, to) {
                    Ok(piece) => pieces.push(piece),
                    Err(reason) => self.unsupported.push(Unsupported::about(&identity, reason)),
                }
            }
            if old.kind == Kind::Enum {
                let renames = self.closure.relabelled.get(&identity).map(Vec::as_slice).unwrap_or_default();
                pieces.extend(ddl::rename_labels(&identity, renames).into_iter().map(Piece::new));
                let labels = ddl::relabelled(old, renames);
                let additions = ddl::enum_additions(&identity, &labels, &new.list("labels")).unwrap_or_default();
                pieces.extend(additions.into_iter().map(Piece::new));
            }
            let mut expected = self.families.expected(old, new, from, to);
            if moves {
                ddl::forget_storage(expected.get_or_insert_with(|| old.clone()));
            }
            let old = expected.as_ref().unwrap_or(old);
            if let Change::InPlace(changes) = ddl::alter(old, new, to) {
                pieces.extend(changes);
            }
            self.alter(old, new, pieces);
            self.park(&identity);
        }
    }

    fn alter(&mut self, old: &Fact, new: &Fact, pieces: Vec<Piece>) {
        let was_enum = self.from.contains(&Identity::new(Kind::Enum, old.text("type")));
        let destructive = old.kind == Kind::Column
            && !widens(old.text("type"), new.text("type"))
            && !(was_enum && matches!(new.text("type"), "text" | "character varying"));
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
                if !self.closure.rebuilt.contains(needed) {
                    edges.extend(changing.zip(drop).map(|(first, then)| (*first, *then)));
                }
            }
        }
        for new in self.to.iter() {
            let (creating, altering) = (self.creating.get(&new.identity), self.altering.get(&new.identity));
            for needed in new.depends_on.iter().chain(&new.parent) {
                if let Some((part, whole)) =
                    creating.zip(self.creating.get(needed)).filter(|_| self.found_by_whole(new, needed))
                {
                    edges.push((*part, *whole));
                    continue;
                }
                for first in [self.creating.get(needed), self.altering.get(needed)].into_iter().flatten() {
                    edges.extend(creating.map(|then| (*first, *then)));
                    edges.extend(altering.map(|then| (*first, *then)));
                }
            }
            edges.extend(self.dropping.get(&new.identity).zip(creating).map(|(first, then)| (*first, *then)));
        }
        edges.extend(self.name_edges());
        edges.extend(self.finishing_edges());
        edges.extend(self.parking_edges());
        self.edges.extend(edges.into_iter().filter(|(first, then)| first != then));
    }

    /// A name must be free before something else takes it; a column that stops or begins to be identity frees or takes one too.
    fn name_edges(&self) -> Vec<(usize, usize)> {
        let name = |catalog: &Catalog, identity: &Identity| catalog.get(identity).and_then(relation_name);
        let changed = |identity: &&Identity| name(self.from, identity) != name(self.to, identity);
        let altering = || self.altering.iter().filter(|(identity, _)| changed(identity));
        let mut freed: HashMap<String, Vec<usize>> = HashMap::new();
        for (identity, node) in self.dropping.iter().chain(altering()) {
            if let Some(name) = name(self.from, identity) {
                freed.entry(name).or_default().push(*node);
            }
        }
        let mut edges = Vec::new();
        for (identity, node) in self.creating.iter().chain(altering()) {
            if let Some(name) = name(self.to, identity) {
                edges.extend(freed.get(&name).into_iter().flatten().map(|first| (*first, *node)));
            }
        }
        edges
    }

    /// Puts data statements, in their order, before everything late and after everything that does not follow from late work.
    /// Data statements run between; but to refresh materialized views last of all is done last, since the plan may make them only when
    /// all rows are there.
    pub(super) fn data(&mut self, data: &[Step]) {
        let refreshes = data.iter().rev().take_while(|step| refreshes(&step.sql)).count();
        let (between, last) = data.split_at(data.len() - refreshes);
        self.data_between(between);
        for step in last {
            let everything = 0..self.nodes.len();
            let node = self.data_node(step);
            self.edges.extend(everything.map(|index| (index, node)));
        }
    }

    fn data_node(&mut self, step: &Step) -> usize {
        self.nodes.push(Node {
            subject: step.subject.clone(),
            phase: DATA,
            kind: Kind::Unmodelled,
            pieces: Vec::new(),
            role: step.role.clone(),
            destructive: step.destructive,
            data: Some(step.clone()),
        });
        self.nodes.len() - 1
    }

    fn data_between(&mut self, data: &[Step]) {
        let mut previous: Option<usize> = None;
        let late: Vec<usize> = (0..self.nodes.len()).filter(|index| self.nodes[*index].phase == LATE).collect();
        let after = graph::reachable(self.nodes.len(), &self.edges, &late);
        for step in data {
            let node = self.data_node(step);
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

    /// A column or check that a child only inherits is no fact of the catalogs, so its table stands for it.
    fn shown(&self, subject: &Identity) -> Identity {
        let mut shown = subject.clone();
        for _ in 0..MAX_DEPTH {
            match [self.to, self.from].into_iter().find_map(|catalog| catalog.get(&shown)) {
                Some(Fact { parent: Some(parent), lineage, .. }) if lineage.inherited == Inherited::Only => {
                    shown = parent.clone();
                }
                _ => break,
            }
        }
        shown
    }

    /// Where a node comes when dependencies leave a choice: by name, but columns and attributes in the order they had where they were made.
    fn place(&self, node: &Node) -> (u8, Kind, String, i64, Identity) {
        let subject = node.subject.clone();
        match (node.kind, self.to.get(&subject)) {
            (Kind::Column | Kind::Attribute, Some(part)) => {
                (node.phase, node.kind, subject.prefix().to_owned(), part.lineage.position, subject)
            }
            // A key would make a null rule of its own where none is yet.
            (Kind::Constraint, Some(rule)) if rule.text("type") == "not_null" => {
                (node.phase, Kind::Default, subject.path().to_owned(), 0, subject)
            }
            // What is made by the plan gets the privileges that are the default before it.
            _ if node.kind == Kind::DefaultPrivilege => (LATE, node.kind, subject.path().to_owned(), 0, subject),
            _ => (node.phase, node.kind, subject.path().to_owned(), 0, subject),
        }
    }

    /// Sorts the nodes and takes their statements.
    pub(super) fn finish(mut self) -> Plan {
        let keys: Vec<_> = self.nodes.iter().map(|node| self.place(node)).collect();
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
                    subject: self.shown(&node.subject),
                    destructive: node.destructive,
                    data: false,
                });
            }
        }
        self.unsupported.sort_by(|left, right| {
            (&left.kind, &left.schema, &left.name).cmp(&(&right.kind, &right.schema, &right.name))
        });
        self.unsupported.dedup();
        Plan { steps, unsupported: self.unsupported, shadow: None }
    }
}

fn depth(catalog: &Catalog, fact: &Fact) -> usize {
    let (mut depth, mut current) = (0, fact);
    // A catalog read from a file may say anything, so the walk is bounded.
    while let Some(parent) =
        current.parent.as_ref().and_then(|parent| catalog.get(parent)).filter(|_| depth < MAX_DEPTH)
    {
        depth += 1;
        current = parent;
    }
    depth
}

/// A name like an object's own for it to stand aside under, short enough not to be cut.
pub(crate) fn set_aside(identity: &Identity) -> String {
    quote_identifier(&format!("{}__replaced", shortened(identity)))
}

fn shortened(identity: &Identity) -> String {
    let mut name = unquote_identifier(identity.last());
    while name.len() > 48 {
        name.pop();
    }
    name
}

/// The name an old type carries while columns move over: free in its schema.
pub(super) fn free_name(catalog: &Catalog, identity: &Identity) -> String {
    let taken: HashSet<&str> = catalog.iter().map(|fact| fact.identity.path()).collect();
    let used = |candidate: &String| taken.contains(format!("{}.{candidate}", identity.prefix()).as_str());
    let (mut candidate, mut count) = (set_aside(identity), 0_u32);
    while used(&candidate) {
        count += 1;
        candidate = quote_identifier(&format!("{}__replaced{count}", shortened(identity)));
    }
    candidate
}

/// The name a fact takes among relations and types of its schema; an identity column takes one for its sequence.
pub(crate) fn relation_name(fact: &Fact) -> Option<String> {
    match fact.kind {
        Kind::Table
        | Kind::ForeignTable
        | Kind::View
        | Kind::MaterializedView
        | Kind::Sequence
        | Kind::Index
        | Kind::Enum
        | Kind::Domain
        | Kind::Composite
        | Kind::Range => Some(fact.identity.path().to_owned()),
        Kind::Column => Some(fact.fields.get("identity")?.get("sequence")?.as_str()?.to_owned()),
        Kind::Constraint if matches!(fact.text("type"), "primary" | "unique" | "exclusion") => {
            Some(format!("{}.{}", fact.identity.names()[0], fact.identity.last()))
        }
        // Routines share names among each other, not with relations.
        Kind::Function | Kind::Aggregate => Some(format!("routine {}", fact.identity.path())),
        _ => None,
    }
}

/// True when every value of the old type is kept by the new one.
pub(crate) fn widens(from: &str, to: &str) -> bool {
    if from == to {
        return true;
    }
    let rank = |name: &str| ["smallint", "integer", "bigint", "numeric"].iter().position(|known| *known == name);
    if let (Some(old), Some(new)) = (rank(from), rank(to)) {
        return old < new;
    }
    let digits = |name: &str| -> Option<(u32, u32)> {
        let (precision, scale) = name.strip_prefix("numeric(")?.strip_suffix(')')?.split_once(',')?;
        Some((precision.parse().ok()?, scale.parse().ok()?))
    };
    match (digits(from), digits(to)) {
        (Some((precision, scale)), Some((wider, finer))) => {
            return finer >= scale && wider.saturating_sub(finer) >= precision.saturating_sub(scale);
        }
        (Some(_), None) if to == "numeric" => return true,
        _ => {}
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
