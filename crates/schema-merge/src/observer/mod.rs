//! The second observer: what `pg_dump` sees change from one state of a database to another must be what the catalogs say has changed.
//!
//! Catalogs are read by our queries, and a plan's outcome is compared with a prediction made of them; whatever those queries do not see,
//! neither the plan nor the comparison can miss. `pg_dump` knows every kind there is. An entry of a dump that changed without a fact that
//! changed, or a fact that changed without an entry, is a disagreement.

mod dump;

use std::collections::{HashMap, HashSet};

use self::dump::{Anchor, Entry, entries};
use crate::catalog::{Catalog, Fact, Kind};

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

/// What the facts say has changed.
#[derive(Default)]
struct Changed {
    objects: HashMap<(String, String), HashSet<Part>>,
    /// Objects that came, went or have another owner: everything about them may look different.
    whole: HashSet<(String, String)>,
    /// Parts of things that are in no schema.
    others: HashSet<Part>,
    /// Facts by the object that an entry must have changed for.
    expected: Vec<((String, String), Part, String)>,
}

/// Everything that two dumps and the two catalogs read at the same moments do not agree upon; empty when they agree.
pub fn disagreements(before_dump: &str, after_dump: &str, before: &Catalog, after: &Catalog) -> Vec<String> {
    let changed = Changed::between(before, after);
    let (old, new) = (entries(before_dump), entries(after_dump));
    let mut found = Vec::new();
    let mut seen: HashSet<(String, String)> = HashSet::new();
    let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
    for key in keys {
        let (was, is) = (old.get(key), new.get(key));
        if was.map(|entry| &entry.text) == is.map(|entry| &entry.text) {
            continue;
        }
        for entry in [was, is].into_iter().flatten() {
            if let Anchor::Object(schema, name) = &entry.anchor {
                seen.insert((schema.clone(), name.clone()));
            }
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
    for (object, part, fact) in &changed.expected {
        if *part == Part::Structure && !fact.starts_with("unmodelled:") && !seen.contains(object) {
            found.push(format!("{fact} has changed, and pg_dump shows nothing of {}.{}", object.0, object.1));
        }
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
        changed
    }

    fn add(&mut self, catalog: &Catalog, fact: &Fact, whole: bool) {
        let part = Part::of_fact(fact.kind);
        let anchors = anchors(catalog, fact);
        if anchors.is_empty() {
            self.others.insert(part);
        }
        for anchor in &anchors {
            self.objects.entry(anchor.clone()).or_default().insert(part);
        }
        if whole && fact.identity.names().len() == 2 {
            self.whole.extend(own_anchor(fact));
        }
        if let Some(anchor) = anchors.into_iter().next() {
            self.expected.push((anchor, part, fact.identity.to_string()));
        }
    }

    fn explains(&self, entry: &Entry) -> bool {
        match &entry.anchor {
            Anchor::Object(schema, name) => {
                let object = (schema.clone(), name.clone());
                self.whole.contains(&object)
                    || self.objects.get(&object).is_some_and(|parts| parts.contains(&entry.part))
            }
            Anchor::Other(_) => self.others.contains(&entry.part),
        }
    }
}

/// The objects in schemas whose entries may show a fact, its own object first.
fn anchors(catalog: &Catalog, fact: &Fact) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut next = Some(fact);
    while let Some(fact) = next {
        if let Some(anchor) = own_anchor(fact) {
            found.push(anchor);
        }
        // These show in the entry of what they point to.
        if matches!(
            fact.kind,
            Kind::ClusteredOn | Kind::ReplicaIdentity | Kind::Partition | Kind::Inheritance | Kind::OwnedBy | Kind::Index
        ) {
            found.extend(fact.depends_on.iter().filter_map(|on| own_anchor(catalog.get(on)?)));
        }
        next = fact.parent.as_ref().and_then(|parent| catalog.get(parent));
    }
    found.dedup();
    found
}

/// Schema and name of the object that a fact is about, quoted; nothing for what is in no schema.
fn own_anchor(fact: &Fact) -> Option<(String, String)> {
    let path = match fact.kind {
        // Said of the fact they hang on.
        Kind::Grant | Kind::Comment => return None,
        Kind::Schema
        | Kind::Extension
        | Kind::ForeignDataWrapper
        | Kind::ForeignServer
        | Kind::UserMapping
        | Kind::Operator
        | Kind::Cast
        | Kind::Conversion
        | Kind::EventTrigger
        | Kind::Publication
        | Kind::PublicationSchema
        | Kind::DefaultPrivilege => return None,
        // The kind comes first.
        Kind::Unmodelled => fact.identity.path().split_once(':').map_or("", |(_, path)| path),
        // The publication comes first.
        Kind::PublicationTable => fact.identity.path().split_once('.').map_or("", |(_, path)| path),
        _ => fact.identity.path(),
    };
    let names = crate::catalog::split_path(path);
    let (schema, name) = (names.first()?, names.get(1)?);
    let mut quoted = false;
    let arguments = name.char_indices().find(|(_, character)| {
        quoted ^= *character == '"';
        *character == '(' && !quoted
    });
    let name = arguments.map_or(*name, |(start, _)| &name[..start]);
    Some(((*schema).to_owned(), name.to_owned()))
}
