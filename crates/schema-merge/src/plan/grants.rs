//! Grants: from what an object has, or a new one will have by itself, to what it shall have.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::nodes::Builder;
use crate::catalog::{Fact, Identity, Kind};
use crate::ddl::{self, Piece};

/// Privileges that go into one statement: object, column or sequence, grantee, grantor, way.
type Group = (Identity, String, String, String, Way);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    TakeOption,
    Take,
    Give,
    GiveWithOption,
}

/// Adds nodes for every privilege that differs.
pub(super) fn plan(builder: &mut Builder<'_>) {
    let (from, to) = (builder.from, builder.to);
    // A column that becomes identity gets a new sequence.
    let numbered = |column: &Fact| column.fields.get("identity").is_some_and(|identity| !identity.is_null());
    let gains_sequence = |object: &Fact| {
        object.kind == Kind::Column
            && numbered(object)
            && from.get(&object.identity).is_some_and(|before| !numbered(before))
    };
    let mut initial: HashMap<Identity, Fact> = HashMap::new();
    for object in to.iter().filter(|object| builder.is_created(&object.identity) || gains_sequence(object)) {
        let with_defaults = !builder.handed_over.contains(&object.identity);
        for fact in builder.defaults.initial_grants(object, with_defaults) {
            initial.insert(fact.identity.clone(), fact);
        }
    }
    let groups = differences(builder, &initial);
    add_nodes(builder, groups);
}

/// From what is held, or will be by itself (`initial`), to what is wanted.
fn differences(builder: &Builder<'_>, initial: &HashMap<Identity, Fact>) -> BTreeMap<Group, Vec<Fact>> {
    let (from, to) = (builder.from, builder.to);
    let gone = |identity: &Identity| builder.closure.gone.contains(identity);
    // A grant that only goes still has to be taken when its object stays.
    let kept = |fact: &Fact| {
        !initial.contains_key(&fact.identity)
            && (!gone(&fact.identity) || fact.parent.as_ref().is_some_and(|parent| !gone(parent)))
    };
    let mut groups: BTreeMap<Group, Vec<Fact>> = BTreeMap::new();
    let mut put = |fact: &Fact, way: Way| {
        let Some(parent) = fact.parent.clone() else { return };
        let part = format!("{}{}", fact.text("on"), fact.text("column"));
        let (grantee, grantor) = (fact.text("grantee").to_owned(), fact.text("grantor").to_owned());
        groups.entry((parent, part, grantee, grantor, way)).or_default().push(fact.clone());
    };
    let mut stripped = Vec::new();
    let remaining = from.beside(to).filter(|(fact, _)| fact.kind == Kind::Grant && kept(fact));
    for (fact, wanted) in remaining.chain(initial.values().map(|fact| (fact, to.get(&fact.identity)))) {
        match wanted {
            None if fact.parent.as_ref().is_some_and(|parent| to.contains(parent)) => {
                if fact.text("on") == "object" {
                    stripped.push((
                        fact.parent.clone(),
                        fact.text("grantee").to_owned(),
                        fact.text("privilege").to_owned(),
                    ));
                }
                put(fact, Way::Take);
            }
            Some(wanted) if fact.flag("grantable") && !wanted.flag("grantable") => put(wanted, Way::TakeOption),
            _ => {}
        }
    }
    for (wanted, old) in to.beside(from).filter(|(fact, _)| fact.kind == Kind::Grant) {
        let has = initial.get(&wanted.identity).or(old.filter(|old| kept(old)));
        // Taking a privilege on a table takes it on each column too.
        let lost = !stripped.is_empty() && matches!(wanted.text("on"), "column" | "view_column") && {
            let table = wanted
                .parent
                .as_ref()
                .and_then(|parent| to.get(parent))
                .and_then(|column| column.parent.clone().or(Some(column.identity.clone())));
            stripped.iter().any(|(object, grantee, privilege)| {
                *object == table && grantee == wanted.text("grantee") && privilege == wanted.text("privilege")
            })
        };
        if lost || has.is_none_or(|has| wanted.flag("grantable") && !has.flag("grantable")) {
            put(wanted, if wanted.flag("grantable") { Way::GiveWithOption } else { Way::Give });
        }
    }
    groups
}

/// Who grants what they were granted: a grant option comes before the grants made with it, and goes after them.
#[derive(Default)]
struct PassedOn {
    by: HashMap<(Identity, String, bool), Vec<usize>>,
    to: HashMap<(Identity, String, bool), Vec<usize>>,
}

impl PassedOn {
    fn note(&mut self, table: &Identity, grantee: String, grantor: String, way: Way, node: usize) {
        let gives = matches!(way, Way::Give | Way::GiveWithOption);
        if !grantor.is_empty() {
            self.by.entry((table.clone(), grantor, gives)).or_default().push(node);
        }
        self.to.entry((table.clone(), grantee, gives)).or_default().push(node);
    }

    fn edges(&self) -> Vec<(usize, usize)> {
        let mut edges = Vec::new();
        for (key, made) in &self.by {
            for held in self.to.get(key).into_iter().flatten() {
                edges.extend(made.iter().map(|node| if key.2 { (*held, *node) } else { (*node, *held) }));
            }
        }
        edges
    }
}

fn add_nodes(builder: &mut Builder<'_>, groups: BTreeMap<Group, Vec<Fact>>) {
    let mut on_schema: HashMap<Identity, Vec<usize>> = HashMap::new();
    let mut takes: HashMap<Identity, Vec<usize>> = HashMap::new();
    let mut gives = Vec::new();
    let mut passed_on = PassedOn::default();
    for ((parent, _, grantee, grantor, way), mut facts) in groups {
        facts.sort_by(|left, right| left.identity.cmp(&right.identity));
        let privileges: Vec<&str> = facts.iter().map(|fact| fact.text("privilege")).collect();
        let mut sample = facts[0].clone();
        sample.lineage.role = builder.to.get(&parent).and_then(|object| object.lineage.role.clone());
        let by = Some(grantor.clone()).filter(|role| !role.is_empty()).or_else(|| sample.lineage.role.clone());
        let sql = match way {
            Way::Give | Way::GiveWithOption => ddl::grant_statement(&privileges, &sample, builder.to),
            Way::Take => ddl::revoke_statement(&privileges, &sample, false, builder.to),
            Way::TakeOption => ddl::revoke_statement(&privileges, &sample, true, builder.to),
        };
        let Some(sql) = sql else { continue };
        let node = builder.push(&sample, 1, by, vec![Piece::new(sql)], false);
        let before = [builder.creating.get(&parent), builder.altering.get(&parent)];
        let owner_change = builder
            .to
            .get(&parent)
            .and_then(|object| object.parent.as_ref())
            .and_then(|table| builder.altering.get(table));
        builder.edges.extend(before.into_iter().flatten().chain(owner_change).map(|first| (*first, node)));
        if makes_possible(&parent) {
            on_schema.entry(parent.clone()).or_default().push(node);
        }
        let table = builder.to.get(&parent).and_then(|object| object.parent.clone()).unwrap_or(parent);
        passed_on.note(&table, grantee, grantor, way, node);
        match way {
            Way::Take | Way::TakeOption => takes.entry(table).or_default().push(node),
            Way::Give | Way::GiveWithOption => gives.push((table, node)),
        }
    }
    builder.edges.extend(passed_on.edges());
    for (table, node) in gives {
        builder.edges.extend(takes.get(&table).into_iter().flatten().map(|first| (*first, node)));
    }
    let created: Vec<(Identity, usize)> =
        builder.creating.iter().map(|(identity, node)| (identity.clone(), *node)).collect();
    for (identity, node) in created {
        let needed = builder.to.get(&identity).into_iter().flat_map(|fact| &fact.depends_on);
        let before: Vec<usize> = needed
            .filter(|needed| makes_possible(needed))
            .filter_map(|needed| on_schema.get(needed))
            .flatten()
            .copied()
            .collect();
        builder.edges.extend(before.into_iter().map(|first| (first, node)));
    }
}

/// Objects whose owners need a privilege on it to make them.
fn makes_possible(identity: &Identity) -> bool {
    ["schema:", "foreign_server:", "foreign_data_wrapper:"].iter().any(|kind| identity.as_str().starts_with(kind))
}
