//! The second observer: what `pg_dump` sees change from one state of a database to another must be what the catalogs say has changed.
//!
//! Catalogs are read by our queries, and a plan's outcome is compared with a prediction made of them; whatever those queries do not see,
//! neither the plan nor the comparison can miss. `pg_dump` knows every kind there is. An entry of a dump that changed without a fact that
//! changed, or a fact that changed without an entry, is a disagreement.

mod dump;

use self::dump::{Anchor, Entry, entries};
use hashbrown::{HashMap, HashSet};

use crate::catalog::{Catalog, Fact, Identity, Kind, function_name};
use serde_json::Value;

/// What an entry or a fact says of its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Access,
    Comment,
    Policy,
    Trigger,
    Structure,
}

impl Part {
    fn of_entry(word: &str) -> Self {
        match word {
            "ACL" | "DEFAULT ACL" => Self::Access,
            "COMMENT" => Self::Comment,
            "POLICY" | "ROW SECURITY" => Self::Policy,
            "TRIGGER" => Self::Trigger,
            _ => Self::Structure,
        }
    }

    fn of_fact(kind: Kind) -> Self {
        match kind {
            Kind::Grant | Kind::DefaultPrivilege => Self::Access,
            Kind::Comment => Self::Comment,
            Kind::Policy | Kind::RowSecurity => Self::Policy,
            Kind::Trigger => Self::Trigger,
            _ => Self::Structure,
        }
    }
}

/// Schema and name of an object, quoted as in SQL.
type Object = (String, String);

/// What the facts say has changed.
#[derive(Default)]
struct Changed {
    objects: HashMap<Object, HashSet<Part>>,
    /// Objects that came, went or have another owner: everything about them may look different.
    whole: HashSet<Object>,
    /// Parts of things that are in no schema.
    others: HashSet<Part>,
    /// Structural facts, with the objects of which one must show in an entry that changed.
    expected: Vec<(Vec<Object>, String)>,
}

/// Everything that two dumps and the two catalogs read at the same moments do not agree upon; empty when they agree.
pub fn disagreements(before_dump: &str, after_dump: &str, before: &Catalog, after: &Catalog) -> Vec<String> {
    let changed = Changed::between(before, after);
    let (old, new) = (entries(before_dump), entries(after_dump));
    let mut found = Vec::new();
    let mut seen: HashSet<&Object> = HashSet::new();
    let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
    for key in keys {
        let (was, is) = (old.get(key), new.get(key));
        if was.map(|entry| &entry.text) == is.map(|entry| &entry.text) {
            continue;
        }
        for entry in [was, is].into_iter().flatten() {
            seen.extend(entry.anchors.iter().filter_map(|anchor| match anchor {
                Anchor::Object(object) => Some(object),
                Anchor::Other(_) => None,
            }));
        }
        if ![was, is].into_iter().flatten().any(|entry| changed.explains(entry)) {
            let (word, schema, name) = key;
            let sign = match (was, is) {
                (Some(_), None) => "is gone",
                (None, Some(_)) => "is new",
                _ => "has changed",
            };
            found.push(format!("pg_dump: {} {schema}.{name} {sign}, and no fact says so", word.to_lowercase()));
        }
    }
    for (objects, fact) in
        changed.expected.iter().filter(|(objects, _)| !objects.iter().any(|object| seen.contains(object)))
    {
        let names: Vec<_> = objects.iter().map(|(schema, name)| format!("{schema}.{name}")).collect();
        found.push(format!("{fact} has changed, and pg_dump shows nothing of {}", names.join(" or ")));
    }
    found
}

impl Changed {
    fn between(before: &Catalog, after: &Catalog) -> Self {
        let mut changed = Self::default();
        for fact in before.iter() {
            match after.get(&fact.identity) {
                None => changed.add(before, fact, true),
                Some(now) if !now.says_the_same(fact) => {
                    let owner = now.fields.get("owner") != fact.fields.get("owner");
                    changed.add(before, fact, owner);
                    changed.add(after, now, owner);
                }
                Some(_) => {}
            }
        }
        for fact in after.iter().filter(|fact| !before.contains(&fact.identity)) {
            changed.add(after, fact, true);
        }
        changed.inherit(before);
        changed.inherit(after);
        changed
    }

    fn add(&mut self, catalog: &Catalog, fact: &Fact, whole: bool) {
        let part = Part::of_fact(fact.kind);
        let anchors = anchors(catalog, fact);
        if anchors.is_empty() {
            self.others.insert(part);
        }
        for anchor in &anchors {
            let parts = self.objects.entry(anchor.clone()).or_default();
            parts.insert(part);
            // That row security is forced shows in the entry of the table.
            if fact.kind == Kind::RowSecurity {
                parts.insert(Part::Structure);
            }
        }
        if whole && fact.identity.names().len() == 2 {
            self.whole.extend(own_anchors(fact));
            // The sequence of an identity goes with its table, to another owner too.
            let columns = || catalog.iter().filter(|column| column.parent.as_ref() == Some(&fact.identity));
            if fact.kind == Kind::Table {
                self.whole.extend(columns().flat_map(own_anchors));
            }
        }
        // Of an inherited column, pg_dump prints that it is `not null` where its parent's is not, but not the reverse.
        let unprinted = fact.kind == Kind::InheritedColumn
            && fact.fields.iter().all(|(field, value)| field == "not_null" && value == &Value::Bool(false));
        if part == Part::Structure && fact.kind != Kind::Unmodelled && !anchors.is_empty() && !unprinted {
            self.expected.push((anchors, fact.identity.to_string()));
        }
    }

    /// What changes in a table shows in those that inherit from it.
    fn inherit(&mut self, catalog: &Catalog) {
        let mut heirs: HashMap<Object, Vec<Object>> = HashMap::new();
        for fact in catalog.iter().filter(|fact| matches!(fact.kind, Kind::Partition | Kind::Inheritance)) {
            let tables = fact.depends_on.iter().filter_map(|on| catalog.get(on));
            for above in tables.filter(|on| on.kind == Kind::Table).flat_map(own_anchors) {
                heirs.entry(above).or_default().extend(own_anchors(fact).into_iter().take(1));
            }
        }
        let mut open: Vec<Object> = self.objects.keys().cloned().collect();
        let mut done: HashSet<Object> = HashSet::new();
        while let Some(object) = open.pop() {
            if !done.insert(object.clone()) {
                continue;
            }
            let parts = self.objects.get(&object).cloned().unwrap_or_default();
            for heir in heirs.get(&object).into_iter().flatten() {
                self.objects.entry(heir.clone()).or_default().extend(parts.iter().copied());
                open.push(heir.clone());
            }
        }
    }

    fn explains(&self, entry: &Entry) -> bool {
        entry.anchors.iter().any(|anchor| match anchor {
            Anchor::Object(object) => {
                self.whole.contains(object) || self.objects.get(object).is_some_and(|parts| parts.contains(&entry.part))
            }
            Anchor::Other(_) => self.others.contains(&entry.part),
        })
    }
}

/// The objects in schemas whose entries may show a fact, its own first.
fn anchors(catalog: &Catalog, fact: &Fact) -> Vec<Object> {
    let mut found = Vec::new();
    let mut next = Some(fact);
    while let Some(fact) = next {
        found.extend(own_anchors(fact));
        // These show in the entry of what they point to.
        if matches!(
            fact.kind,
            Kind::ClusteredOn
                | Kind::ReplicaIdentity
                | Kind::Partition
                | Kind::Inheritance
                | Kind::OwnedBy
                | Kind::TypedTable
                | Kind::Index
        ) {
            found.extend(fact.depends_on.iter().filter_map(|on| catalog.get(on)).flat_map(own_anchors));
        }
        // The columns of a table of a type show in the entry of the type.
        if fact.kind == Kind::Table
            && let Some(tie) = catalog.get(&Identity::new(Kind::TypedTable, fact.identity.path()))
        {
            found.extend(own_anchors(tie));
        }
        next = fact.parent.as_ref().and_then(|parent| catalog.get(parent));
    }
    found.dedup();
    found
}

/// The objects that a fact is about; none for what is in no schema.
fn own_anchors(fact: &Fact) -> Vec<Object> {
    let path = match fact.kind {
        // Said of the fact they hang on.
        Kind::Grant | Kind::Comment => return Vec::new(),
        Kind::Schema
        | Kind::Extension
        | Kind::ForeignDataWrapper
        | Kind::ForeignServer
        | Kind::UserMapping
        | Kind::Operator
        | Kind::OperatorClass
        | Kind::OperatorFamily
        | Kind::Cast
        | Kind::Conversion
        | Kind::EventTrigger
        | Kind::Publication
        | Kind::PublicationSchema
        | Kind::DefaultPrivilege => return Vec::new(),
        // The kind comes first.
        Kind::Unmodelled => fact.identity.path().split_once(':').map_or("", |(_, path)| path),
        Kind::PublicationTable => fact.text("table"),
        _ => fact.identity.path(),
    };
    let names = crate::catalog::split_path(path);
    let (Some(schema), Some(name)) = (names.first(), names.get(1)) else { return Vec::new() };
    let mut found = vec![((*schema).to_owned(), function_name(name).to_owned())];
    match fact.kind {
        // The index of a key has the key's name.
        Kind::Constraint => found.extend(names.get(2).map(|key| ((*schema).to_owned(), (*key).to_owned()))),
        // The sequence of an identity is no fact of its own.
        Kind::Column | Kind::InheritedColumn => {
            let sequence = fact.fields.get("identity").and_then(|identity| identity.get("sequence")?.as_str());
            found.extend(sequence.map(|sequence| within(schema, sequence)));
        }
        _ => {}
    }
    found.extend(fact.optional("of").map(|of| within(schema, of)));
    found
}

/// A name that may be qualified; if not, it is in this schema.
fn within(schema: &str, name: &str) -> Object {
    match crate::catalog::split_path(name).as_slice() {
        [schema, name, ..] => ((*schema).to_owned(), (*name).to_owned()),
        _ => (schema.to_owned(), name.to_owned()),
    }
}
