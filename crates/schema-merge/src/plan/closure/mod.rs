//! What must go: removed facts, facts that cannot change in place, and everything that stands on them.

mod domains;
mod owners;

use hashbrown::{HashMap, HashSet};

use super::families::{self, Families};
use super::typed;
use super::{Step, Unsupported};
use crate::catalog::{Catalog, Fact, Identity, Inherited, Kind};
use crate::ddl::{self, Change};

/// The outcome: sets of identities of the old catalog.
#[derive(Default)]
pub(super) struct Closure {
    /// Dropped; those also in the new catalog are created again.
    pub(super) gone: HashSet<Identity>,
    /// Changed in place.
    pub(super) altered: HashSet<Identity>,
    /// Types and collations made anew under the same name.
    pub(super) rebuilt: HashSet<Identity>,
    /// Labels that carry another name, by their enum.
    pub(super) relabelled: HashMap<Identity, Vec<(String, String)>>,
    /// Columns whose type or collation is rebuilt under them.
    pub(super) moved: HashSet<Identity>,
    pub(super) unsupported: Vec<Unsupported>,
}

struct Search<'a> {
    from: &'a Catalog,
    to: &'a Catalog,
    families: &'a Families,
    dependents: HashMap<&'a Identity, Vec<&'a Fact>>,
    found: Closure,
    queue: Vec<Identity>,
}

pub(super) fn compute(from: &Catalog, to: &Catalog, families: &Families, data: &[Step]) -> Closure {
    let mut dependents: HashMap<&Identity, Vec<&Fact>> = HashMap::new();
    for fact in from.iter() {
        for needed in fact.depends_on.iter().chain(&fact.parent) {
            dependents.entry(needed).or_default().push(fact);
        }
    }
    let mut search = Search { from, to, families, dependents, found: Closure::default(), queue: Vec::new() };
    search.seed(data);
    while let Some(identity) = search.queue.pop() {
        search.spread(&identity);
    }
    search.retypes();
    while let Some(identity) = search.queue.pop() {
        search.spread(&identity);
    }
    search.children_of_others();
    search.links_to_others();
    let gone = &search.found.gone;
    search.found.altered.retain(|identity| !gone.contains(identity));
    search.found.moved.retain(|identity| !gone.contains(identity));
    search.found
}

impl Search<'_> {
    fn seed(&mut self, data: &[Step]) {
        self.relabel();
        let new_labels = self.new_labels_in_use(data);
        let (from, to) = (self.from, self.to);
        for (old, new) in from.beside(to) {
            let Some(new) = new else {
                self.remove(old);
                continue;
            };
            if let Some(reason) = self.families.refusal(old, new, to) {
                self.found.unsupported.push(Unsupported::about(&old.identity, reason));
                continue;
            }
            if old.kind == Kind::TypedTable && typed::reshaped(old, from, to) {
                self.go(&old.identity);
                continue;
            }
            let expected = self.families.expected(old, new, from, to);
            if expected.as_ref().unwrap_or(old).says_the_same(new) || old.kind == Kind::Grant {
                continue;
            }
            if old.optional("of").is_some()
                && old.optional("of") != new.optional("of")
                && self.families.stays_attached(old, from)
                && families::whole(old, from)
                    .is_some_and(|whole| !to.contains(&whole.identity) || new.optional("of").is_none())
            {
                self.go(&old.identity);
                continue;
            }
            let old = expected.as_ref().unwrap_or(old);
            if old.kind == Kind::Enum {
                let labels = ddl::relabelled(old, self.renames(&old.identity));
                let additions = ddl::enum_additions(&old.identity, &labels, &new.list("labels"));
                if additions.is_none() || new_labels.contains(&old.identity) {
                    self.rebuild(&old.identity);
                } else {
                    self.found.altered.insert(old.identity.clone());
                }
                continue;
            }
            if old.kind == Kind::Attribute && self.holds_values(old.parent.as_ref()) {
                // Postgres changes no attribute under a column of the type.
                if let Some(composite) = &old.parent {
                    self.rebuild(composite);
                }
                continue;
            }
            match ddl::alter(old, new, to) {
                Change::InPlace(_) => {
                    self.found.altered.insert(old.identity.clone());
                    if old.kind == Kind::Trigger {
                        self.go_copies(&old.identity);
                    }
                }
                Change::Replace if old.kind.rebuildable() => self.rebuild(&old.identity),
                Change::Replace => self.go(&old.identity),
                Change::Impossible(reason) => self.found.unsupported.push(Unsupported::about(&old.identity, reason)),
            }
        }
        for new in to.iter().filter(|new| new.kind == Kind::Range && !from.contains(&new.identity)) {
            // Neither the multirange type nor its constructors can stand aside while columns move over.
            let holder = from.iter().find(|old| {
                old.kind == Kind::Range
                    && !to.contains(&old.identity)
                    && old.text("multirange") == new.text("multirange")
                    && self.holds_values(Some(&old.identity))
            });
            if let Some(holder) = holder {
                let reason =
                    format!("its multirange type has the name of that of {}, which columns use", holder.identity);
                self.found.unsupported.push(Unsupported::about(&new.identity, reason));
            }
        }
        let stricter: Vec<Identity> = to.iter().filter_map(|new| self.stricter_domain(new)).cloned().collect();
        for domain in stricter {
            if self.held_inside(&domain, 0) {
                self.rebuild(&domain);
            }
        }
        for (new, _) in to.beside(from).filter(|(_, old)| old.is_none()) {
            if let Some(reason) = self.families.refusal_of_new(new, from, to) {
                self.found.unsupported.push(Unsupported::about(&new.identity, reason));
            }
        }
        for new in to.iter().filter(|new| new.kind == Kind::Unmodelled && !from.contains(&new.identity)) {
            self.found.unsupported.push(Unsupported::about(&new.identity, "its kind is not modelled"));
        }
    }

    fn remove(&mut self, old: &Fact) {
        if old.kind == Kind::Unmodelled {
            self.found.unsupported.push(Unsupported::about(&old.identity, "its kind is not modelled"));
        } else {
            self.go(&old.identity);
        }
    }

    fn go(&mut self, identity: &Identity) {
        if self.found.gone.insert(identity.clone()) {
            self.queue.push(identity.clone());
        }
    }

    /// A trigger's state reaches its copies on partitions, so what they say of it is said again.
    fn go_copies(&mut self, trigger: &Identity) {
        let copies: Vec<Identity> = self
            .dependents
            .get(trigger)
            .into_iter()
            .flatten()
            .filter(|fact| fact.kind == Kind::Trigger)
            .map(|fact| fact.identity.clone())
            .collect();
        for copy in copies {
            self.go(&copy);
        }
    }

    /// Makes a type anew: what stands on it moves over or is made anew too.
    fn rebuild(&mut self, identity: &Identity) {
        self.found.rebuilt.insert(identity.clone());
        self.go(identity);
    }

    /// True when a column is of the type, or another type holds it.
    fn holds_values(&self, identity: Option<&Identity>) -> bool {
        let dependents = identity.and_then(|identity| self.dependents.get(identity));
        dependents.into_iter().flatten().any(|dependent| {
            Some(&dependent.identity) != identity
                && dependent.parent.as_ref() != identity
                && matches!(dependent.kind, Kind::Column | Kind::Attribute | Kind::Domain | Kind::Range)
        })
    }

    /// The type to be rebuilt because it holds one that is.
    fn holder(dependent: &Fact) -> Option<Identity> {
        match dependent.kind {
            Kind::Attribute => dependent.parent.clone(),
            Kind::Domain | Kind::Range => Some(dependent.identity.clone()),
            _ => None,
        }
    }

    /// Finds renamed labels.
    fn relabel(&mut self) {
        let differ: Vec<(&Fact, &Fact)> = self
            .from
            .iter()
            .filter(|fact| fact.kind == Kind::Enum)
            .filter_map(|old| Some((old, self.to.get(&old.identity)?)))
            .filter(|(old, new)| old.fields.get("labels") != new.fields.get("labels"))
            .collect();
        if differ.is_empty() {
            return;
        }
        let shared = self.from.iter().filter(|old| {
            old.lineage.object.is_some()
                && self.to.get(&old.identity).is_some_and(|new| new.lineage.object == old.lineage.object)
        });
        let horizon = shared.filter_map(|old| old.lineage.number()).max().unwrap_or_default();
        for (old, new) in differ {
            let renames = ddl::label_renames(old, new, horizon);
            if !renames.is_empty() {
                self.found.relabelled.insert(old.identity.clone(), renames);
            }
        }
    }

    fn renames(&self, identity: &Identity) -> &[(String, String)] {
        self.found.relabelled.get(identity).map(Vec::as_slice).unwrap_or_default()
    }

    /// Postgres refuses to use a label in the transaction that added it, so such an enum is made anew.
    fn new_labels_in_use(&self, data: &[Step]) -> HashSet<Identity> {
        let mut out = HashSet::new();
        for new in self.to.iter().filter(|fact| fact.kind == Kind::Enum) {
            let Some(old) = self.from.get(&new.identity) else { continue };
            let known = ddl::relabelled(old, self.renames(&new.identity));
            for label in new.list("labels").into_iter().filter(|label| !known.contains(label)) {
                let literal = ddl::literal(label);
                let used = self.retyped_to(&new.identity)
                    || data.iter().any(|step| step.sql.contains(&literal))
                    || self.said_anew(&literal, &new.identity);
                if used {
                    out.insert(new.identity.clone());
                }
            }
        }
        out
    }

    /// True when a column gets this type in the same plan, since its rows may hold any label.
    fn retyped_to(&self, identity: &Identity) -> bool {
        self.to
            .iter()
            .filter(|fact| fact.kind == Kind::Column && fact.depends_on.contains(identity))
            .any(|new| self.from.get(&new.identity).is_some_and(|old| old.text("type") != new.text("type")))
    }

    fn said_anew(&self, literal: &str, type_identity: &Identity) -> bool {
        self.to.iter().any(|fact| {
            let evaluated = match fact.kind {
                Kind::Default
                | Kind::Constraint
                | Kind::Index
                | Kind::View
                | Kind::Policy
                | Kind::Trigger
                | Kind::Column
                | Kind::Rule
                | Kind::MaterializedView
                | Kind::DomainConstraint
                | Kind::Domain => true,
                Kind::Function => fact.flag("standard_body") || fact.text("arguments").contains(literal),
                _ => false,
            };
            evaluated
                && fact.fields.values().any(|value| value.as_str().is_some_and(|text| text.contains(literal)))
                && fact
                    .fields
                    .values()
                    .any(|value| value.as_str().is_some_and(|text| text.contains(type_identity.path())))
                && self.from.get(&fact.identity).is_none_or(|old| !old.says_the_same(fact))
        })
    }

    /// Decides the fate of everything that stands on something that goes.
    fn spread(&mut self, identity: &Identity) {
        let dependents = self.dependents.get(identity).cloned().unwrap_or_default();
        self.spread_to_whole(identity);
        let rebuilt = self.found.rebuilt.contains(identity);
        for dependent in dependents {
            if self.found.gone.contains(&dependent.identity) {
                continue;
            }
            if dependent.lineage.inherited == Inherited::Only
                && dependent.parent.as_ref() != Some(identity)
                && self.families.followed(dependent, self.from).is_none()
                && self.to.get(&dependent.identity).is_some_and(|new| self.families.stays_without(new, self.to))
            {
                // It leaves its parent and stays, perhaps under another one.
                continue;
            }
            let child = dependent.parent.as_ref() == Some(identity)
                || dependent.lineage.inherited == Inherited::Only && dependent.kind == Kind::Column;
            if child || dependent.kind.recreatable() && !self.lets_go(dependent, identity) || generated(dependent) {
                self.go(&dependent.identity);
            } else if rebuilt && identity.kind_word() == "range" && Self::holder(dependent).is_some() {
                let reason = format!("it holds values of {identity}, which must be made anew");
                self.found.unsupported.push(Unsupported::about(&dependent.identity, reason));
            } else if let Some(holder) = Self::holder(dependent).filter(|holder| rebuilt && self.to.contains(holder)) {
                self.rebuild(&holder);
            } else if dependent.kind == Kind::Column && rebuilt {
                self.found.moved.insert(dependent.identity.clone());
            } else if !self.lets_go(dependent, identity) {
                let reason = format!("it uses {identity}, which is dropped or must be made anew");
                self.found.unsupported.push(Unsupported::about(&dependent.identity, reason));
            }
        }
    }

    /// A part of a partitioned index only goes together with the whole, as long as its table stays where it is.
    fn spread_to_whole(&mut self, identity: &Identity) {
        let Some(part) = self.from.get(identity) else { return };
        let table_goes = part.parent.as_ref().is_some_and(|table| self.found.gone.contains(table));
        if let Some(whole) = families::whole(part, self.from)
            && !table_goes
            && self.families.stays_attached(part, self.from)
        {
            self.go(&whole.identity.clone());
        }
    }

    /// True when it belongs to another role than its table, before or afterwards.
    fn of_another(&self, part: &Fact) -> bool {
        [self.from, self.to].into_iter().any(|catalog| {
            let part = catalog.get(&part.identity);
            let table = part.and_then(|part| part.parent.as_ref()).and_then(|table| catalog.get(table));
            part.zip(table).is_some_and(|(part, table)| table.text("owner") != part.text("owner"))
        })
    }

    /// True when the dependent changes in place to a state that no longer needs the thing.
    fn lets_go(&self, dependent: &Fact, needed: &Identity) -> bool {
        // A table has one primary key, so what marks an index waits for the next one while the last is gone.
        !matches!(dependent.kind, Kind::ClusteredOn | Kind::ReplicaIdentity)
            && self.found.altered.contains(&dependent.identity)
            && self
                .to
                .get(&dependent.identity)
                .is_some_and(|new| !new.depends_on.contains(needed) && new.parent.as_ref() != Some(needed))
    }

    /// A column cannot change its type under a view, policy, trigger, generated column or foreign key, nor under its default.
    fn retypes(&mut self) {
        let changed: Vec<Identity> = self
            .found
            .altered
            .iter()
            .filter(|identity| {
                let (old, new) = (self.from.get(identity), self.to.get(identity));
                old.zip(new).is_some_and(|(old, new)| {
                    old.kind == Kind::Column
                        && (old.text("type") != new.text("type")
                            || old.fields.get("collation") != new.fields.get("collation"))
                })
            })
            .chain(&self.found.moved)
            .cloned()
            .collect();
        for column in changed {
            // Columns of a range type hold text for a while, which other operator classes sort.
            let parked = self.found.moved.contains(&column)
                && self.from.get(&column).is_some_and(|column| {
                    column
                        .depends_on
                        .iter()
                        .any(|needed| needed.kind_word() == "range" && self.found.rebuilt.contains(needed))
                });
            for dependent in self.dependents.get(&column).cloned().unwrap_or_default() {
                match dependent.kind {
                    Kind::View
                    | Kind::MaterializedView
                    | Kind::Rule
                    | Kind::Policy
                    | Kind::Trigger
                    | Kind::Function
                    | Kind::Default => self.go(&dependent.identity),
                    Kind::Constraint if parked || dependent.text("type") == "foreign" => self.go(&dependent.identity),
                    Kind::Index | Kind::Statistics if parked => self.go(&dependent.identity),
                    // Postgres makes them anew as the property of who changes the column.
                    Kind::Statistics if self.of_another(dependent) => self.go(&dependent.identity),
                    Kind::PublicationTable if dependent.optional("where").is_some() => self.go(&dependent.identity),
                    Kind::Column if generated(dependent) => self.go(&dependent.identity),
                    Kind::Unmodelled => {
                        let reason = format!("it uses {column}, whose type changes");
                        self.found.unsupported.push(Unsupported::about(&dependent.identity, reason));
                    }
                    _ => {}
                }
            }
        }
    }
}

fn generated(fact: &Fact) -> bool {
    fact.kind == Kind::Column && fact.optional("generated").is_some()
}
