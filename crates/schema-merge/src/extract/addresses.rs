//! From Postgres' object addresses to identities of facts.

use hashbrown::{HashMap, HashSet};

use super::rows;
use crate::catalog::{Catalog, Fact, Identity};

pub(super) const RELATION: i64 = 1259;
pub(super) const TYPE: i64 = 1247;
pub(super) const FUNCTION: i64 = 1255;
pub(super) const DEFAULT: i64 = 2604;
pub(super) const CONSTRAINT: i64 = 2606;
pub(super) const NAMESPACE: i64 = 2615;
pub(super) const RULE: i64 = 2618;
pub(super) const TRIGGER: i64 = 2620;
pub(super) const POLICY: i64 = 3256;
pub(super) const EXTENSION: i64 = 3079;

/// Which fact an address means. Objects of internal schemas mean none; members of an extension mean the extension.
#[derive(Default)]
pub(super) struct Addresses {
    objects: HashMap<(i64, i64), Identity>,
    columns: HashMap<(i64, i64), Identity>,
    /// Names of the columns of views.
    view_columns: HashMap<(i64, i64), String>,
    aliases: HashMap<(i64, i64), (i64, i64)>,
    members: HashSet<(i64, i64)>,
    /// Columns that a child only inherits: they stand for their parent's when used, and need nothing themselves.
    inherited: HashSet<(i64, i64)>,
}

impl Addresses {
    pub(super) fn object(&mut self, class: i64, oid: i64, identity: &Identity) {
        self.objects.insert((class, oid), identity.clone());
    }

    pub(super) fn column(&mut self, relation: i64, number: i64, identity: &Identity) {
        self.columns.insert((relation, number), identity.clone());
    }

    pub(super) fn inherited_column(&mut self, relation: i64, number: i64, origin: &Identity) {
        self.column(relation, number, origin);
        self.inherited.insert((relation, number));
    }

    pub(super) fn view_column(&mut self, relation: i64, number: i64, name: &str) {
        self.view_columns.insert((relation, number), name.to_owned());
    }

    pub(super) fn member(&mut self, class: i64, oid: i64, extension: &Identity) {
        self.members.insert((class, oid));
        self.object(class, oid, extension);
    }

    pub(super) fn is_member(&self, class: i64, oid: i64) -> bool {
        self.members.contains(&(class, oid))
    }

    /// Rules stand for their view; row types for their relation; array types for their element; multiranges and constructors for their range.
    pub(super) fn learn(&mut self, aliases: &rows::Aliases) {
        for (rule, relation) in &aliases.rules {
            self.aliases.insert((RULE, *rule), (RELATION, *relation));
        }
        for (function, range) in &aliases.functions {
            self.aliases.insert((FUNCTION, *function), (TYPE, *range));
        }
        for (class, oid, of_class, of) in &aliases.entries {
            self.aliases.insert((*class, *oid), (*of_class, *of));
        }
        for (multirange, range) in &aliases.multiranges {
            self.aliases.insert((TYPE, *multirange), (TYPE, *range));
        }
        for (oid, relation, element) in &aliases.types {
            match (relation, element) {
                (Some(relation), _) => self.aliases.insert((TYPE, *oid), (RELATION, *relation)),
                (None, Some(element)) => self.aliases.insert((TYPE, *oid), (TYPE, *element)),
                (None, None) => None,
            };
        }
    }

    pub(super) fn resolve(&self, class: i64, oid: i64, sub: i64) -> Option<&Identity> {
        let mut address = (class, oid);
        for _ in 0..4 {
            if sub != 0
                && address.0 == RELATION
                && let Some(column) = self.columns.get(&(address.1, sub))
            {
                return Some(column);
            }
            if let Some(found) = self.objects.get(&address) {
                return Some(found);
            }
            address = *self.aliases.get(&address)?;
        }
        None
    }

    /// Adds every dependency between two different facts to the dependent one.
    pub(super) fn connect(&self, catalog: &mut Catalog, edges: impl Iterator<Item = rows::Edge>) {
        let mut wanted: HashMap<&Identity, Vec<&Identity>> = HashMap::new();
        let mut used: HashMap<&Identity, Vec<(Identity, String)>> = HashMap::new();
        for (class, oid, sub, on_class, on_oid, on_sub) in edges {
            if class == RELATION && self.inherited.contains(&(oid, sub)) {
                continue;
            }
            if let (Some(from), Some(to)) = (self.resolve(class, oid, sub), self.resolve(on_class, on_oid, on_sub))
                && from != to
                && !owned(from, to)
                && !(class == RELATION && on_class == RELATION && sub == 0 && on_sub == 0 && tables(from, to))
                && !(class == RELATION && sub == 0 && typed(from, to))
            {
                wanted.entry(from).or_default().push(to);
                if on_class == RELATION
                    && let Some(column) = self.view_columns.get(&(on_oid, on_sub))
                {
                    used.entry(from).or_default().push((to.clone(), column.clone()));
                }
                // An inherited column is its parent's, but what uses it stands on the child all the same.
                if on_class == RELATION
                    && self.inherited.contains(&(on_oid, on_sub))
                    && let Some(child) = self.objects.get(&(RELATION, on_oid)).filter(|child| *child != from)
                {
                    wanted.entry(from).or_default().push(child);
                }
            }
        }
        for (from, mut targets) in wanted {
            targets.sort_unstable();
            targets.dedup();
            targets.retain(|target| catalog.contains(target));
            catalog.change(from, |fact| {
                let Fact { parent, depends_on, lineage, .. } = fact;
                depends_on.extend(targets.into_iter().filter(|target| Some(*target) != parent.as_ref()).cloned());
                depends_on.sort_unstable();
                depends_on.dedup();
                if let Some(mut uses) = used.remove(from) {
                    uses.sort();
                    uses.dedup();
                    lineage.uses = uses;
                }
            });
        }
    }
}

/// A table under another is linked by a fact of its own.
fn tables(from: &Identity, to: &Identity) -> bool {
    let table =
        |identity: &Identity| ["table:", "foreign_table:"].iter().any(|kind| identity.as_str().starts_with(kind));
    table(from) && table(to)
}

/// That a table is of a type is a fact of its own too.
fn typed(from: &Identity, to: &Identity) -> bool {
    from.as_str().starts_with("table:") && to.as_str().starts_with("composite:")
}

/// A sequence goes with the column that owns it but does not need it; that is a fact of its own.
fn owned(from: &Identity, to: &Identity) -> bool {
    from.as_str().starts_with("sequence:") && to.as_str().starts_with("column:")
}
