//! The catalog of a database as a set of facts: every addressable thing with its fields.
//!
//! Facts are addressed by [`Identity`], a kind and a path of SQL-quoted names, so that an identity can be used in a statement as it is.
//! Oids, attribute numbers and dependency edges travel with a fact but are not part of what it says, and are not hashed.

mod fields;
mod identity;
mod kind;
mod overloads;
mod secrets;

pub use fields::Fields;
pub use identity::{Identity, join_path, quote_identifier, split_path, unquote_identifier};
pub(crate) use identity::{find_outside, function_name, split_outside};
pub use kind::Kind;
pub(crate) use overloads::{answer_alike, calls_by_name};
pub use secrets::Secrets;
pub(crate) use secrets::masked;

use std::{
    borrow::Cow,
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Facts above a fact at most. Real ones have four; a catalog that was read from a file may go in a circle.
pub(crate) const MAX_DEPTH: usize = 16;

/// Fields that hold what Postgres printed of a parsed view, condition or expression.
const PRINTED: [&str; 7] = ["definition", "expression", "using", "check", "where", "generated", "body"];

/// The grantee that stands for an object's owner, whoever that is.
pub const OWNER: &str = "@owner";

/// Where a fact came from and how it is laid out; tells renames and column order, and is never hashed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lineage {
    /// `class:oid:attnum` of the object, when it has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Position of a column in its table.
    #[serde(default)]
    pub position: i64,
    /// Names and types of a view's columns, or names of a partitioned index's, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub view_columns: Vec<String>,
    /// Columns of views that it uses, each with its view: no facts, because they go and come with their view.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<(Identity, String)>,
    /// Oids of an enum's labels, in order; tell renames of labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Options with a secret in them, by the entry that stands for them in the fields. Never shown.
    #[serde(default, skip_serializing_if = "Secrets::is_empty")]
    pub secrets: Secrets,
    /// What holds of a trigger's copy on a partition when nothing is said: the state of the trigger it is copied from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
    /// How values of a column's type are stored when the column says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_storage: Option<String>,
    /// How much of a column or check comes from the table's parents; known only while a plan is made.
    #[serde(skip)]
    pub inherited: Inherited,
    /// Whether other tables inherit from the table; known only while a plan is made.
    #[serde(skip)]
    pub has_children: bool,
    /// The role that owns the object or the table it belongs to; statements about it run as this role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

impl Lineage {
    /// The number the object got when it was made: within one database a higher one is younger, until they wrap.
    pub(crate) fn number(&self) -> Option<u64> {
        self.object.as_deref()?.split(':').nth(1)?.parse().ok()
    }
}

/// How much of a column or check comes from the table's parents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inherited {
    /// Nothing: it is the table's own.
    #[default]
    No,
    /// It is the table's own and the parents' too.
    Too,
    /// It is there only because a parent has it.
    Only,
}

/// One addressable thing of a database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// Unique address.
    pub identity: Identity,
    /// What it is.
    pub kind: Kind,
    /// The fact it cannot exist without, dropped together with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Identity>,
    /// What is said of it; compared and merged field by field.
    pub fields: Fields,
    /// Facts it needs.
    #[serde(default)]
    pub depends_on: Vec<Identity>,
    /// Where it came from.
    #[serde(default)]
    pub lineage: Lineage,
}

impl Fact {
    /// Whether it is a foreign key.
    pub(crate) fn is_foreign_key(&self) -> bool {
        self.kind == Kind::Constraint && self.text("type") == "foreign"
    }

    /// A text field, empty when absent or null.
    pub fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// A text field that may be null.
    pub fn optional(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }

    /// A truth field, false when absent.
    pub fn flag(&self, field: &str) -> bool {
        self.fields.get(field).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A list of texts, empty when absent or null.
    pub fn list(&self, field: &str) -> Vec<&str> {
        self.fields
            .get(field)
            .and_then(Value::as_array)
            .map(|items| items.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default()
    }

    /// True when both say the same, whatever the order of their fields.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.kind == other.kind && self.fields == other.fields
    }

    /// The fields that hold what Postgres printed of something parsed; the body of a function is a text of its own unless it is standard SQL.
    pub(crate) fn printed(&self) -> impl Iterator<Item = (&String, &Value)> {
        let own_body = self.fields.contains_key("body") && !self.flag("standard_body");
        self.fields.iter().filter(move |(name, value)| {
            PRINTED.contains(&name.as_str()) && !value.is_null() && !(own_body && *name == "body")
        })
    }

    /// SHA-256 of identity, kind and fields.
    pub fn hash(&self) -> String {
        let mut hasher = Sha256::new();
        self.feed(&mut hasher);
        hex::encode(hasher.finalize())
    }

    fn feed(&self, hasher: &mut Sha256) {
        hasher.update(self.identity.as_str().as_bytes());
        hasher.update([0]);
        let mut fields: Vec<_> = self.fields.iter().collect();
        fields.sort_by(|left, right| left.0.cmp(right.0));
        for (name, value) in fields {
            hasher.update(name.as_bytes());
            hasher.update([1]);
            write_canonical(value, hasher);
            hasher.update([2]);
        }
        hasher.update([3]);
    }
}

/// All facts of one database, in the order of their identities. Copies share the facts they have in common: a merge makes a dozen of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    /// `server_version_num`; decides which privileges exist by default. Not hashed.
    #[serde(default)]
    pub server_version: u32,
    #[serde(with = "fact_list")]
    facts: BTreeMap<Identity, Arc<Fact>>,
}

impl Catalog {
    /// An empty catalog of a server of this version.
    pub fn new(server_version: u32) -> Self {
        Self { server_version, facts: BTreeMap::new() }
    }

    /// Adds or replaces a fact.
    pub fn insert(&mut self, fact: Fact) {
        self.facts.insert(fact.identity.clone(), Arc::new(fact));
    }

    /// Adds or replaces a fact that other catalogs have too.
    pub(crate) fn insert_shared(&mut self, fact: Arc<Fact>) {
        self.facts.insert(fact.identity.clone(), fact);
    }

    /// Facts in the order of their identities, to be shared.
    pub(crate) fn iter_shared(&self) -> impl Iterator<Item = &Arc<Fact>> {
        self.facts.values()
    }

    /// Takes a fact out.
    pub fn remove(&mut self, identity: &Identity) -> Option<Fact> {
        self.facts.remove(identity).map(Arc::unwrap_or_clone)
    }

    /// Changes a fact in place, where it is.
    pub(crate) fn change(&mut self, identity: &Identity, change: impl FnOnce(&mut Fact)) {
        if let Some(fact) = self.facts.get_mut(identity) {
            change(Arc::make_mut(fact));
        }
    }

    /// Looks a fact up.
    pub fn get(&self, identity: &Identity) -> Option<&Fact> {
        self.facts.get(identity).map(Arc::as_ref)
    }

    /// True when the fact is there.
    pub fn contains(&self, identity: &Identity) -> bool {
        self.facts.contains_key(identity)
    }

    /// Facts in the order of their identities.
    pub fn iter(&self) -> impl Iterator<Item = &Fact> {
        self.facts.values().map(Arc::as_ref)
    }

    /// Facts in the order of their identities, each with what another catalog has under the same one. Both are walked once, which costs
    /// much less than to look every fact up.
    pub(crate) fn beside<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (&'a Fact, Option<&'a Fact>)> {
        let mut others = other.facts.iter().peekable();
        self.facts.iter().map(move |(identity, fact)| {
            let there = loop {
                match others.peek().map(|(other, _)| (*other).cmp(identity)) {
                    Some(Ordering::Less) => others.next(),
                    Some(Ordering::Equal) => break others.next(),
                    _ => break None,
                };
            };
            (fact.as_ref(), there.map(|(_, fact)| fact.as_ref()))
        })
    }

    /// Facts from this identity on, in order.
    pub(crate) fn range_from<'a>(&'a self, start: &Identity) -> impl Iterator<Item = &'a Fact> + use<'a> {
        self.facts.range(start.clone()..).map(|(_, fact)| fact.as_ref())
    }

    /// How many facts there are.
    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// True when there is no fact.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// SHA-256 over all facts; equal when the databases say the same, apart from the order of columns.
    pub fn hash(&self) -> String {
        let mut hasher = Sha256::new();
        for fact in self.facts.values() {
            fact.feed(&mut hasher);
        }
        hex::encode(hasher.finalize())
    }

    /// The plain or partitioned table that this is, or whose part it is.
    pub(crate) fn table_of(&self, identity: &Identity) -> Option<&Fact> {
        let found = self.get(identity)?;
        let whole = if found.kind == Kind::Table { Some(found) } else { self.get(found.parent.as_ref()?) };
        whole.filter(|whole| whole.kind == Kind::Table)
    }

    /// The catalog without what Postgres printed of these facts: views, conditions and expressions, whose text changes with the types of
    /// what they read. Everything else about them stays.
    pub fn leaving_texts(&self, of: &BTreeSet<Identity>) -> Cow<'_, Self> {
        let mut catalog = Cow::Borrowed(self);
        for identity in of {
            let Some(mut fact) = self.get(identity).cloned() else { continue };
            let printed: Vec<String> = fact.printed().map(|(name, _)| name.clone()).collect();
            fact.fields.retain(|name, _| !printed.contains(name));
            catalog.to_mut().insert(fact);
        }
        catalog
    }

    /// Names of user objects whose kind is not modelled, as `kind:name`.
    pub fn unmodelled(&self) -> Vec<String> {
        self.iter().filter(|fact| fact.kind == Kind::Unmodelled).map(|fact| fact.identity.path().to_owned()).collect()
    }

    /// Identities of the facts that differ, for a report of a failed prediction.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut out = Vec::new();
        for fact in self.iter() {
            match other.get(&fact.identity) {
                None => out.push(format!("- {}", fact.identity)),
                Some(there) if !there.says_the_same(fact) => {
                    for name in
                        fact.fields.keys().chain(there.fields.keys().filter(|name| !fact.fields.contains_key(*name)))
                    {
                        let (here, over) = (fact.fields.get(name), there.fields.get(name));
                        if here != over {
                            out.push(format!("~ {} {name}: {} ≠ {}", fact.identity, shown(here), shown(over)));
                        }
                    }
                }
                Some(_) => {}
            }
        }
        out.extend(
            other.iter().filter(|fact| !self.contains(&fact.identity)).map(|fact| format!("+ {}", fact.identity)),
        );
        out
    }
}

impl FromIterator<Fact> for Catalog {
    fn from_iter<I: IntoIterator<Item = Fact>>(facts: I) -> Self {
        Self {
            server_version: 0,
            facts: facts.into_iter().map(|fact| (fact.identity.clone(), Arc::new(fact))).collect(),
        }
    }
}

/// JSON text with the keys of objects sorted, so that equal values have equal texts.
pub(crate) fn canonical(value: &Value) -> String {
    let mut text = Vec::new();
    write_canonical(value, &mut text);
    String::from_utf8(text).expect("JSON is text")
}

fn write_canonical(value: &Value, out: &mut impl io::Write) {
    write_value(value, out).expect("neither memory nor a hash refuses");
}

fn write_value(value: &Value, out: &mut impl io::Write) -> io::Result<()> {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|left, right| left.0.cmp(right.0));
            let mut opening: &[u8] = b"{";
            for (key, item) in entries {
                out.write_all(opening)?;
                opening = b",";
                serde_json::to_writer(&mut *out, key)?;
                out.write_all(b":")?;
                write_value(item, out)?;
            }
            out.write_all(if map.is_empty() { b"{}" } else { b"}" })
        }
        Value::Array(items) => {
            let mut opening: &[u8] = b"[";
            for item in items {
                out.write_all(opening)?;
                opening = b",";
                write_value(item, out)?;
            }
            out.write_all(if items.is_empty() { b"[]" } else { b"]" })
        }
        scalar => Ok(serde_json::to_writer(out, scalar)?),
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "absent".to_owned(), canonical)
}

mod fact_list {
    //! A catalog travels as a plain list of facts.

    use std::{collections::BTreeMap, sync::Arc};

    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Fact, Identity};

    pub(super) fn serialize<S: Serializer>(
        facts: &BTreeMap<Identity, Arc<Fact>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(facts.values().map(Arc::as_ref))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<Identity, Arc<Fact>>, D::Error> {
        let facts = Vec::<Fact>::deserialize(deserializer)?;
        Ok(facts.into_iter().map(|fact| (fact.identity.clone(), Arc::new(fact))).collect())
    }
}
