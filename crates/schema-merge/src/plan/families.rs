//! Partitions and children in a plan.
//!
//! A catalog says of a child only what does not follow from its parents. To plan, every inherited column and check is spelled out
//! ([`spelled_out`]), marked with how much of it comes from the parents: what a change of the parent does to its children by itself is
//! then left out, and the rest is an ordinary change.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};
use serde_json::{Value, json};

use crate::catalog::{Catalog, Fact, Identity, Inherited, Kind, Lineage};
use crate::ddl;

/// Fields of a column that a child takes from its parent and cannot change.
const FOLLOWED: [&str; 4] = ["type", "collation", "generated", "virtual"];

/// The links of two catalogs.
#[derive(Default)]
pub(super) struct Families {
    /// Parents of each table in the old and the new catalog.
    old: HashMap<Identity, Vec<Identity>>,
    new: HashMap<Identity, Vec<Identity>>,
    /// Child and parent whose link is the same in both.
    kept: HashSet<(Identity, Identity)>,
    /// How many generations are above a table in the old and the new catalog.
    depth: HashMap<Identity, usize>,
}

impl Families {
    pub(super) fn of(from: &Catalog, to: &Catalog) -> Self {
        let (old, new) = (links(from), links(to));
        let mut kept = HashSet::new();
        for (child, list) in &old {
            for (link, parent) in list {
                if to.get(&link.identity).is_some_and(|there| there.says_the_same(link)) {
                    kept.insert((child.clone(), parent.clone()));
                }
            }
        }
        let mut depth = generations(&old);
        for (table, count) in generations(&new) {
            let known = depth.entry(table).or_default();
            *known = count.max(*known);
        }
        let parents = |links: BTreeMap<Identity, Vec<(&Fact, Identity)>>| {
            links
                .into_iter()
                .map(|(child, list)| (child, list.into_iter().map(|(_, parent)| parent).collect()))
                .collect()
        };
        Self { old: parents(old), new: parents(new), kept, depth }
    }

    /// Takes links to tables that go for no longer kept, also where another table comes under the same name; tells whether there were any.
    pub(super) fn lose(&mut self, gone: &HashSet<Identity>) -> bool {
        let before = self.kept.len();
        self.kept.retain(|(_, parent)| !gone.contains(parent));
        self.kept.len() < before
    }

    /// Child and parent of each link that stays.
    pub(super) fn kept(&self) -> impl Iterator<Item = &(Identity, Identity)> {
        self.kept.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.old.is_empty() && self.new.is_empty()
    }

    /// How many generations are above the table of a fact.
    pub(super) fn generation(&self, fact: &Fact) -> usize {
        fact.parent.as_ref().and_then(|table| self.depth.get(table)).copied().unwrap_or_default()
    }

    /// True when a foreign table is a partition of this one, at any depth.
    pub(super) fn has_foreign_part(&self, table: &Identity, catalog: &Catalog) -> bool {
        self.new.keys().filter(|child| child.as_str().starts_with("foreign_table:")).any(|child| {
            let (mut current, mut steps) = (child, 0);
            while let Some(parent) = self.new.get(current).and_then(|parents| parents.first()).filter(|_| steps < 64) {
                if parent == table {
                    return catalog.contains(&Identity::new(Kind::Partition, child.path()));
                }
                current = parent;
                steps += 1;
            }
            false
        })
    }

    /// The tables above this one in the old catalog.
    pub(super) fn ancestors(&self, table: Option<&Identity>) -> HashSet<Identity> {
        let mut found = HashSet::new();
        let mut queue: Vec<&Identity> = table.into_iter().collect();
        while let Some(table) = queue.pop() {
            for parent in self.old.get(table).into_iter().flatten() {
                if found.insert(parent.clone()) {
                    queue.push(parent);
                }
            }
        }
        found
    }

    /// The same column or check of a parent whose link stays, in this catalog.
    pub(super) fn followed<'c>(&self, part: &Fact, catalog: &'c Catalog) -> Option<&'c Fact> {
        let table = part.parent.as_ref()?;
        let parents = self.old.get(table).into_iter().chain(self.new.get(table)).flatten();
        parents
            .filter(|parent| self.kept.contains(&(table.clone(), (*parent).clone())))
            .find_map(|parent| catalog.get(&sibling(part, parent)))
    }

    /// The same column or check of any parent in this catalog.
    pub(super) fn above<'c>(&self, part: &Fact, catalog: &'c Catalog) -> Option<&'c Fact> {
        let parents = self.new.get(part.parent.as_ref()?)?;
        parents.iter().find_map(|parent| catalog.get(&sibling(part, parent)))
    }

    /// Whether a part of an index stays with its whole: their tables' link is the same on both sides.
    pub(super) fn stays_attached(&self, part: &Fact, catalog: &Catalog) -> bool {
        let above = whole(part, catalog).and_then(|whole| whole.parent.clone());
        part.parent.clone().zip(above).is_some_and(|link| self.kept.contains(&link))
    }

    /// What a column will be once the changes of its parents have reached it.
    pub(super) fn expected(&self, old: &Fact, new: &Fact, from: &Catalog, to: &Catalog) -> Option<Fact> {
        if old.kind != Kind::Column || old.lineage.inherited == Inherited::No {
            return None;
        }
        let (was, is) = (self.followed(old, from)?, self.followed(old, to)?);
        let mut reached = old.clone();
        for field in FOLLOWED.iter().chain(&["not_null"]) {
            if was.fields.get(*field) != is.fields.get(*field) {
                let value = if *field == "not_null" { is } else { new }.fields.get(*field).cloned().unwrap_or_default();
                reached.fields.insert((*field).to_owned(), value);
            }
        }
        if ["type", "collation"].iter().any(|field| was.fields.get(*field) != is.fields.get(*field)) {
            ddl::forget_storage(&mut reached);
        }
        Some(reached)
    }

    /// Why Postgres cannot lead from one state of an inherited column or check to another.
    pub(super) fn refusal(&self, old: &Fact, new: &Fact, to: &Catalog) -> Option<&'static str> {
        use Inherited::{No, Only, Too};
        if !matches!(old.kind, Kind::Column | Kind::Constraint) {
            return None;
        }
        let follows = self.followed(old, to).is_some();
        match (old.lineage.inherited, new.lineage.inherited) {
            (Too, Only) if follows => Some("it was declared by the table itself and shall only be inherited"),
            (Only, Too) if follows && old.kind == Kind::Column => {
                Some("it was only inherited and shall be declared by the table itself")
            }
            (Only, No) if old.kind == Kind::Column && self.followed(old, to).is_none() && self.link_stays(old) => {
                Some("its parent's column goes and it shall stay")
            }
            (No, Only) if !self.is_partition(new, to) => {
                Some("it was declared by the table itself and shall only be inherited")
            }
            (Only, Only) if !follows && !self.is_partition(new, to) => {
                Some("another table's is inherited in its place, and Postgres keeps it as declared by the table itself")
            }
            _ => None,
        }
    }

    /// Why Postgres cannot give a table that is there an inherited column or check that it lacks.
    pub(super) fn refusal_of_new(&self, new: &Fact, from: &Catalog, to: &Catalog) -> Option<&'static str> {
        let stays = new.parent.as_ref().is_some_and(|table| table.kind_word() == "table" && from.contains(table));
        (matches!(new.kind, Kind::Column | Kind::Constraint)
            && new.lineage.inherited == Inherited::Only
            && stays
            && self.followed(new, to).is_none()
            && !self.is_partition(new, to))
        .then_some("its table is there without it and shall only inherit it: Postgres keeps it as declared by the table itself")
    }

    /// True when some link of the part's table is the same in both catalogs.
    fn link_stays(&self, part: &Fact) -> bool {
        let Some(table) = &part.parent else { return false };
        let parents = self.old.get(table).into_iter().flatten();
        parents.into_iter().any(|parent| self.kept.contains(&(table.clone(), parent.clone())))
    }

    /// True when a column or check that loses its parent's is there afterwards: declared, or as a partition has it.
    pub(super) fn stays_without(&self, new: &Fact, to: &Catalog) -> bool {
        new.lineage.inherited == Inherited::No || new.lineage.inherited == Inherited::Only && self.is_partition(new, to)
    }

    fn is_partition(&self, part: &Fact, catalog: &Catalog) -> bool {
        part.parent.as_ref().is_some_and(|table| catalog.contains(&Identity::new(Kind::Partition, table.path())))
    }
}

/// The index or key that a part of it belongs to.
pub(super) fn whole<'c>(part: &Fact, catalog: &'c Catalog) -> Option<&'c Fact> {
    part.optional("of").filter(|_| matches!(part.kind, Kind::Index | Kind::Constraint))?;
    part.depends_on.iter().filter_map(|needed| catalog.get(needed)).find(|needed| {
        matches!(needed.kind, Kind::Index | Kind::Constraint)
            && needed.parent != part.parent
            && crate::ddl::index_name(needed) == part.text("of")
    })
}

fn sibling(part: &Fact, table: &Identity) -> Identity {
    Identity::new(part.kind, format!("{}.{}", table.path(), part.identity.last()))
}

/// Links by child, in the order of the parents.
fn links(catalog: &Catalog) -> BTreeMap<Identity, Vec<(&Fact, Identity)>> {
    let mut found: BTreeMap<Identity, Vec<(&Fact, Identity)>> = BTreeMap::new();
    for link in catalog.iter().filter(|fact| matches!(fact.kind, Kind::Partition | Kind::Inheritance)) {
        let parent = [Kind::Table, Kind::ForeignTable]
            .into_iter()
            .map(|kind| Identity::new(kind, link.text("of")))
            .find(|identity| catalog.contains(identity));
        if let Some((child, parent)) = link.parent.clone().zip(parent) {
            found.entry(child).or_default().push((link, parent));
        }
    }
    for list in found.values_mut() {
        list.sort_by_key(|(link, _)| link.lineage.position);
    }
    found
}

/// Links of a table that is made with its parents named.
pub(super) fn inheritance_of<'c>(catalog: &'c Catalog, table: &Identity) -> Vec<&'c Fact> {
    let prefix = format!("{}:{}.", Kind::Inheritance.word(), table.path());
    let start = Identity::from_text(prefix.clone());
    let mut found: Vec<_> = catalog
        .range_from(&start)
        .take_while(|fact| fact.identity.as_str().starts_with(&prefix))
        .filter(|fact| fact.parent.as_ref() == Some(table))
        .collect();
    found.sort_by_key(|link| link.lineage.position);
    found
}

fn generations(links: &BTreeMap<Identity, Vec<(&Fact, Identity)>>) -> HashMap<Identity, usize> {
    let mut depth: HashMap<Identity, usize> = HashMap::new();
    // Families are shallow; a circle, which only a forged catalog can hold, ends with the bound.
    for _ in 0..64 {
        let mut changed = false;
        for (child, list) in links {
            let above = list.iter().map(|(_, parent)| depth.get(parent).copied().unwrap_or_default()).max();
            let wanted = (above.unwrap_or_default() + 1).min(64);
            let known = depth.entry(child.clone()).or_default();
            if *known < wanted {
                *known = wanted;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    depth
}

/// The catalog with inherited columns and checks spelled out.
pub(crate) fn spelled_out(catalog: &Catalog) -> Cow<'_, Catalog> {
    let links = links(catalog);
    if links.is_empty() {
        return Cow::Borrowed(catalog);
    }
    let depth = generations(&links);
    let mut order: Vec<(usize, Identity, Vec<Identity>)> = links
        .iter()
        .map(|(child, list)| {
            let level = depth.get(child).copied().unwrap_or_default();
            (level, child.clone(), list.iter().map(|(_, parent)| parent.clone()).collect())
        })
        .collect();
    order.sort();
    let parents: HashSet<Identity> = order.iter().flat_map(|(_, _, parents)| parents.clone()).collect();
    let mut out = catalog.clone();
    let mut parts: HashMap<Identity, Vec<Identity>> = HashMap::new();
    for fact in catalog.iter().filter(|fact| heritable(fact)) {
        if let Some(table) = &fact.parent {
            parts.entry(table.clone()).or_default().push(fact.identity.clone());
        }
    }
    for (_, child, above) in order {
        for parent in above {
            for part in parts.get(&parent).cloned().unwrap_or_default() {
                let made = inherit(&mut out, &part, &child);
                let own = parts.entry(child.clone()).or_default();
                if !own.contains(&made) {
                    own.push(made);
                }
            }
        }
    }
    settle_parts(&mut out, &parents);
    Cow::Owned(out)
}

fn heritable(fact: &Fact) -> bool {
    fact.kind == Kind::Column
        || fact.kind == Kind::Constraint
            && matches!(fact.text("type"), "check" | "not_null")
            && !fact.flag("no_inherit")
}

/// Gives a child its parent's column or check, or marks its own.
fn inherit(out: &mut Catalog, part: &Identity, child: &Identity) -> Identity {
    let Some(above) = out.get(part).cloned() else { return part.clone() };
    let identity = sibling(&above, child);
    if let Some(mut own) = out.remove(&identity) {
        if own.lineage.inherited == Inherited::No {
            own.lineage.inherited = Inherited::Too;
        } else if own.lineage.inherited == Inherited::Only {
            own.depends_on.push(part.clone());
        }
        out.insert(own);
        return identity;
    }
    let role = out.get(child).and_then(|table| table.lineage.role.clone());
    let mut made = Fact {
        identity: identity.clone(),
        kind: above.kind,
        parent: Some(child.clone()),
        fields: above.fields.clone(),
        depends_on: vec![part.clone()],
        lineage: Lineage {
            role,
            position: above.lineage.position,
            inherited: Inherited::Only,
            secrets: above.lineage.secrets.clone(),
            type_storage: above.lineage.type_storage.clone(),
            ..Lineage::default()
        },
    };
    if above.kind == Kind::Column {
        let own = [
            ("identity", Value::Null),
            ("storage", Value::Null),
            ("compression", Value::Null),
            ("statistics", Value::Null),
            ("options", json!([])),
        ];
        made.fields.extend(own.map(|(name, value)| (name.to_owned(), value)));
        made.fields.shift_remove("foreign_options");
        let anchor = out.remove(&Identity::new(Kind::InheritedColumn, identity.path()));
        if let Some(default) = default_of(out, &above, &made, anchor.as_ref()) {
            out.insert(default);
        }
        if let Some(mut anchor) = anchor {
            anchor.fields.shift_remove("default");
            made.fields.extend(anchor.fields);
            made.lineage.secrets.extend(&anchor.lineage.secrets);
        }
    }
    out.insert(made);
    identity
}

/// The default of an inherited column: the child's own word, or the parent's.
fn default_of(out: &Catalog, above: &Fact, column: &Fact, anchor: Option<&Fact>) -> Option<Fact> {
    let said = anchor.and_then(|anchor| Some((anchor, anchor.fields.get("default")?)));
    let (expression, mut depends_on) = match said {
        Some((anchor, expression)) => (expression.as_str()?.to_owned(), anchor.depends_on.clone()),
        None => {
            let theirs = out.get(&Identity::new(Kind::Default, above.identity.path()))?;
            // A child that is made with its parents takes the default from them, so theirs is there first.
            let needed = theirs.depends_on.iter().cloned().chain([theirs.identity.clone()]).collect();
            (theirs.text("expression").to_owned(), needed)
        }
    };
    depends_on.push(above.identity.clone());
    Some(Fact {
        identity: Identity::new(Kind::Default, column.identity.path()),
        kind: Kind::Default,
        parent: Some(column.identity.clone()),
        fields: [("expression".to_owned(), expression.into())].into_iter().collect(),
        depends_on,
        lineage: Lineage {
            role: column.lineage.role.clone(),
            position: column.lineage.position,
            inherited: Inherited::Only,
            ..Lineage::default()
        },
    })
}

/// Hangs comments and privileges of inherited columns on the columns, and marks what belongs to a table with children.
fn settle_parts(out: &mut Catalog, parents: &HashSet<Identity>) {
    let mut changed = Vec::new();
    for fact in out.iter() {
        let mut settled = fact.clone();
        if let Some(anchor) = fact.parent.as_ref().filter(|parent| parent.as_str().starts_with("inherited_column:")) {
            settled.parent = Some(Identity::new(Kind::Column, anchor.path()));
        }
        let table = match fact.kind {
            Kind::Column | Kind::Constraint => fact.parent.clone(),
            Kind::Default => fact.parent.as_ref().and_then(|column| out.get(column)?.parent.clone()),
            _ => None,
        };
        settled.lineage.has_children = table.is_some_and(|table| parents.contains(&table));
        if settled.lineage.has_children || settled.parent != fact.parent {
            changed.push(settled);
        }
    }
    for fact in changed {
        out.insert(fact);
    }
}
