//! What a catalog looks like under other names, as far as that can be foreseen without running the renames.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};
use serde_json::Value;

use super::renames::Name;
use super::rewriting::{rewrite, rewrite_label, shares_names};
use crate::catalog::{Catalog, Fact, Identity, Kind, function_name, split_path};
use crate::extract::statistics_in_order;

/// Fields that hold no names of things.
const PLAIN: [&str; 6] = ["labels", "options", "config", "text", "owner", "version"];

/// Final names by lineage.
pub(super) type Wanted = BTreeMap<String, Name>;

/// A catalog under its final names, and which identities changed.
pub(super) struct Renamed {
    pub(super) catalog: Catalog,
    /// From each identity that changed to what it is now.
    pub(super) names: HashMap<Identity, Identity>,
    /// The facts that carry another name themselves, in their final form, by their former identity.
    pub(super) own: Vec<(Fact, Identity)>,
}

/// Old paths to new ones, by what shares its names.
#[derive(Default)]
struct Paths {
    schemas: HashMap<String, String>,
    objects: HashMap<(String, String), String>,
    parts: HashMap<(String, String), String>,
}

/// What a path is looked up among: a part says only the path of its whole, which may be any kind of relation. A sequence or an
/// index may be called like a type.
fn family(kind_word: &str, shares: bool) -> String {
    match kind_word {
        "enum" | "domain" | "range" | "sequence" | "index" => kind_word,
        "domain_constraint" => "domain",
        "owned_by" => "sequence",
        _ if shares => "relation",
        _ => kind_word,
    }
    .to_owned()
}

/// Gives a catalog the wanted names.
pub(super) fn rename_all(catalog: &Catalog, wanted: &Wanted) -> Renamed {
    let mut paths = Paths::default();
    let mut named: Vec<(&Fact, &Name)> = Vec::new();
    let mut labels: Vec<(&Fact, Vec<(String, String)>)> = Vec::new();
    for fact in catalog.iter() {
        let Some(name) = fact.lineage.object.as_deref().and_then(|token| wanted.get(token)) else { continue };
        if name.kind != fact.kind {
            continue;
        }
        paths.learn(fact, name);
        let changed: Vec<_> = name
            .labels
            .iter()
            .filter_map(|(oid, label)| {
                let at = fact.lineage.labels.iter().position(|known| known == oid)?;
                let old = fact.list("labels").get(at).map(|label| (*label).to_owned())?;
                (old != *label).then(|| (old, label.clone()))
            })
            .collect();
        if !changed.is_empty() {
            labels.push((fact, changed));
        }
        named.push((fact, name));
    }
    if paths.schemas.is_empty() && paths.objects.is_empty() && paths.parts.is_empty() && labels.is_empty() {
        return Renamed { catalog: catalog.clone(), names: HashMap::new(), own: Vec::new() };
    }
    let mut memo: HashMap<&Identity, Identity> = HashMap::new();
    for fact in catalog.iter() {
        readdress(catalog, fact, &paths, &mut memo);
    }
    let moved: HashSet<&Identity> = memo.iter().filter(|(old, new)| **old != *new).map(|(old, _)| *old).collect();
    let renamed_here: Vec<(&Fact, &Identity)> = named
        .iter()
        .filter_map(|(fact, _)| Some((*fact, memo.get(&fact.identity)?)))
        .filter(|(fact, new)| fact.identity != **new)
        .collect();
    let texts = Texts {
        catalog,
        memo: &memo,
        renamed: renamed_here.iter().map(|(fact, new)| (&fact.identity, *new)).collect(),
        labels: labels.iter().map(|(fact, changed)| (&fact.identity, changed)).collect(),
    };
    let mut out = Catalog::new(catalog.server_version);
    for fact in catalog.iter() {
        out.insert(texts.fact(fact));
    }
    let own = renamed_here
        .iter()
        .filter_map(|(fact, new)| Some((out.get(new)?.clone(), fact.identity.clone())))
        .chain(
            labels
                .iter()
                .filter(|(fact, _)| !moved.contains(&fact.identity))
                .filter_map(|(fact, _)| Some((out.get(&fact.identity)?.clone(), fact.identity.clone()))),
        )
        .collect();
    let names = moved.into_iter().filter_map(|old| Some((old.clone(), memo.get(old)?.clone()))).collect();
    Renamed { catalog: out, names, own }
}

impl Paths {
    fn learn(&mut self, fact: &Fact, name: &Name) {
        let names = fact.identity.names();
        let word = fact.identity.kind_word();
        match names.as_slice() {
            [only] if word == "schema" => {
                if let Some(last) = &name.last {
                    self.schemas.insert((*only).to_owned(), last.clone());
                }
            }
            [only] => {
                if let Some(last) = &name.last {
                    self.objects.insert((word.to_owned(), (*only).to_owned()), last.clone());
                }
            }
            [schema, object] => {
                let arguments = &object[function_name(object).len()..];
                let last = name.last.as_ref().map_or_else(|| (*object).to_owned(), |last| format!("{last}{arguments}"));
                let schema = name.schema.clone().unwrap_or_else(|| (*schema).to_owned());
                let path = fact.identity.path();
                let new = format!("{schema}.{last}");
                if new != path {
                    self.objects.insert((family(word, shares_names(fact.kind)), path.to_owned()), new);
                }
            }
            _ => {
                if let Some(last) = &name.last {
                    self.parts.insert((word.to_owned(), fact.identity.path().to_owned()), last.clone());
                }
            }
        }
    }

    /// A path after all renames; names inside a function's arguments included.
    fn path(&self, word: &str, shares: bool, path: &str) -> String {
        let names = split_path(path);
        match (word, names.as_slice()) {
            ("inheritance", [schema, child, parent_schema, parent]) => {
                let whole = |schema: &str, table: &str| self.path("table", true, &format!("{schema}.{table}"));
                return format!("{}.{}", whole(schema, child), whole(parent_schema, parent));
            }
            ("publication_table" | "publication_schema", [publication, rest @ ..]) if !rest.is_empty() => {
                let of = self.path("publication", false, publication);
                let kind = if rest.len() == 1 { "schema" } else { "table" };
                return format!("{of}.{}", self.path(kind, true, &rest.join(".")));
            }
            _ => {}
        }
        match names.as_slice() {
            [only] if word == "schema" => self.schemas.get(*only).cloned().unwrap_or_else(|| (*only).to_owned()),
            [only] => {
                self.objects.get(&(word.to_owned(), (*only).to_owned())).cloned().unwrap_or_else(|| (*only).to_owned())
            }
            [schema, object, rest @ ..] => {
                let key = format!("{schema}.{object}");
                let whole = family(word, shares || !rest.is_empty());
                let found = self.objects.get(&(whole, key.clone())).cloned().unwrap_or(key);
                let mut parts: Vec<String> = split_path(&found).into_iter().map(str::to_owned).collect();
                if let Some(new) = parts.first().and_then(|schema| self.schemas.get(schema)) {
                    parts[0].clone_from(new);
                }
                if let Some(object) = parts.get_mut(1).filter(|object| object.contains('(')) {
                    *object = self.arguments(object);
                }
                for (index, part) in rest.iter().enumerate() {
                    // A default has the name of its column.
                    let word = if word == "default" { "column" } else { word };
                    let renamed = (index + 1 == rest.len())
                        .then(|| self.parts.get(&(word.to_owned(), path.to_owned())))
                        .flatten();
                    parts.push(renamed.cloned().unwrap_or_else(|| (*part).to_owned()));
                }
                parts.join(".")
            }
            [] => path.to_owned(),
        }
    }

    /// Default privileges are said of a role and a schema: `role/schema/…`.
    fn default_privilege(&self, path: &str) -> String {
        let mut parts: Vec<&str> = path.splitn(3, '/').collect();
        if let Some(new) = parts.get(1).and_then(|schema| self.schemas.get(*schema)) {
            parts[1] = new;
        }
        parts.join("/")
    }

    fn arguments(&self, object: &str) -> String {
        let mut text = object.to_owned();
        for ((family, old), new) in &self.objects {
            if matches!(family.as_str(), "relation" | "enum" | "domain" | "range") {
                text = replace_type(&text, old, new);
            }
        }
        for (old, new) in &self.schemas {
            text = replace_type(&text, &format!("{old}."), &format!("{new}."));
        }
        text
    }
}

/// Replaces a qualified name in a list of types.
fn replace_type(text: &str, old: &str, new: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(old) {
        let before = rest[..at].chars().next_back();
        let after = rest[at + old.len()..].chars().next();
        let inner = |character: Option<char>| {
            character.is_some_and(|character| character.is_alphanumeric() || matches!(character, '_' | '.' | '"' | '$'))
        };
        let whole = !inner(before) && (old.ends_with('.') || !inner(after));
        out.push_str(&rest[..at]);
        out.push_str(if whole { new } else { old });
        rest = &rest[at + old.len()..];
    }
    out + rest
}

fn readdress<'a>(
    catalog: &'a Catalog,
    fact: &'a Fact,
    paths: &Paths,
    memo: &mut HashMap<&'a Identity, Identity>,
) -> Identity {
    if let Some(known) = memo.get(&fact.identity) {
        return known.clone();
    }
    let text = fact.identity.as_str();
    let word = fact.identity.kind_word();
    let about = fact.parent.as_ref().filter(|parent| text[word.len() + 1..].starts_with(parent.as_str()));
    let new = if let Some(parent) = about {
        let detail = &text[word.len() + 1 + parent.as_str().len()..];
        let to = catalog.get(parent).map_or_else(|| parent.clone(), |parent| readdress(catalog, parent, paths, memo));
        Identity::from_text(format!("{word}:{to}{detail}"))
    } else {
        let mut path = paths.path(word, shares_names(fact.kind), fact.identity.path());
        if word == "default_privilege" {
            path = paths.default_privilege(fact.identity.path());
        }
        // What a child says of a column of its parent has that column's name.
        let inherited = match word {
            "inherited_column" => fact
                .depends_on
                .iter()
                .find(|needed| needed.kind_word() == "column" && needed.last() == fact.identity.last()),
            "default" => fact.parent.as_ref().filter(|parent| parent.kind_word() == "inherited_column"),
            _ => None,
        };
        if let Some(column) = inherited.and_then(|column| catalog.get(column)) {
            let last = readdress(catalog, column, paths, memo).last().to_owned();
            let mut parts: Vec<String> = split_path(&path).into_iter().map(str::to_owned).collect();
            if let Some(own) = parts.last_mut() {
                *own = last;
            }
            path = parts.join(".");
        }
        // Indexes and constraints' indexes move to their table's schema.
        if word == "index"
            && let Some(table) = fact.parent.as_ref().and_then(|table| catalog.get(table))
        {
            let schema = readdress(catalog, table, paths, memo).names()[0].to_owned();
            let last = split_path(&path).last().map(|last| (*last).to_owned()).unwrap_or_default();
            path = format!("{schema}.{last}");
        }
        Identity::from_text(format!("{word}:{path}"))
    };
    memo.insert(&fact.identity, new.clone());
    new
}

/// Rewrites the facts that use renamed things.
struct Texts<'a> {
    catalog: &'a Catalog,
    memo: &'a HashMap<&'a Identity, Identity>,
    renamed: HashMap<&'a Identity, &'a Identity>,
    labels: HashMap<&'a Identity, &'a Vec<(String, String)>>,
}

impl Texts<'_> {
    fn now(&self, identity: &Identity) -> Identity {
        self.memo.get(identity).cloned().unwrap_or_else(|| identity.clone())
    }

    fn fact(&self, old: &Fact) -> Fact {
        let mut fact = old.clone();
        fact.identity = self.now(&old.identity);
        fact.parent = old.parent.as_ref().map(|parent| self.now(parent));
        fact.depends_on = old.depends_on.iter().map(|needed| self.now(needed)).collect();
        fact.lineage.uses = old.lineage.uses.iter().map(|(view, column)| (self.now(view), column.clone())).collect();
        if old.kind.satellite() {
            return fact;
        }
        let used = self.used(old);
        for (from, to) in &used {
            for (name, value) in fact.fields.iter_mut() {
                if !PLAIN.contains(&name.as_str()) && (name != "body" || old.flag("standard_body")) {
                    apply(value, &|text| rewrite(text, from, to));
                }
            }
        }
        for needed in std::iter::once(&old.identity).chain(&old.depends_on) {
            let Some(changed) = self.labels.get(needed) else { continue };
            let now = self.now(needed);
            for (before, after) in *changed {
                if needed == &old.identity {
                    let labels: Vec<String> = fact
                        .list("labels")
                        .iter()
                        .map(|label| if label == before { after.clone() } else { (*label).to_owned() })
                        .collect();
                    fact.fields.insert("labels".to_owned(), labels.into());
                } else {
                    for value in fact.fields.values_mut() {
                        apply(value, &|text| rewrite_label(text, &now, before, after));
                    }
                }
            }
        }
        if let Some(Value::String(definition)) =
            fact.fields.get_mut("definition").filter(|_| old.kind == Kind::Statistics)
        {
            *definition = statistics_in_order(definition);
        }
        if old.kind.word() == "default_privilege"
            && let Some(schema) = old.depends_on.iter().find(|needed| needed.kind_word() == "schema")
        {
            fact.fields.insert("schema".to_owned(), self.now(schema).path().into());
        }
        // The sequence inside an identity column moves with the table.
        let moved = |identity: &Identity, now: &Identity| identity.names()[0] != now.names()[0];
        if old.kind.word() == "column" && moved(&old.identity, &fact.identity) {
            let (was, is) = (old.identity.names()[0].to_owned(), fact.identity.names()[0].to_owned());
            if let Some(Value::String(sequence)) =
                fact.fields.get_mut("identity").and_then(|identity| identity.get_mut("sequence"))
                && let Some(rest) = sequence.strip_prefix(&format!("{was}."))
            {
                *sequence = format!("{is}.{rest}");
            }
        }
        if old.kind.word() == "index" && fact.identity.names()[0] != old.identity.names()[0] {
            let (was, is) = (old.identity.path().to_owned(), fact.identity.path().to_owned());
            for value in fact.fields.values_mut() {
                apply(value, &|text| text.replace(&was, &is));
            }
        }
        fact
    }

    /// The renamed things whose names may stand in the texts of a fact: what it is, is part of, or needs; parts first.
    fn used(&self, fact: &Fact) -> Vec<(Identity, Identity)> {
        let mut found: Vec<&Identity> = Vec::new();
        let mut look = |identity: &Identity| {
            let mut current = self.catalog.get(identity);
            while let Some(fact) = current {
                if let Some((key, _)) = self.renamed.get_key_value(&fact.identity)
                    && !found.contains(key)
                {
                    found.push(*key);
                }
                for schema in fact.depends_on.iter().filter(|needed| needed.kind_word() == "schema") {
                    if let Some((key, _)) = self.renamed.get_key_value(schema)
                        && !found.contains(key)
                    {
                        found.push(*key);
                    }
                }
                current = fact.parent.as_ref().and_then(|parent| self.catalog.get(parent));
            }
        };
        look(&fact.identity);
        // A partition key names columns of its own table.
        if fact.kind == Kind::Table {
            let own =
                self.renamed.keys().filter(|old| old.kind_word() == "column" && old.prefix() == fact.identity.path());
            own.for_each(|column| look(column));
        }
        for needed in fact.depends_on.iter() {
            look(needed);
        }
        found.sort_by_key(|identity| std::cmp::Reverse(depth(identity)));
        found
            .into_iter()
            .filter_map(|old| Some((old.clone(), (*self.renamed.get(old)?).clone())))
            .map(|(old, new)| within(&old, &new))
            .collect()
    }
}

/// Parts are rewritten before their table and the table before its schema, so each is still found under the names above it.
fn depth(identity: &Identity) -> usize {
    if identity.kind_word() == "schema" { 0 } else { identity.names().len() }
}

/// The rename of one name alone: what is above it is rewritten by renames of its own.
fn within(old: &Identity, new: &Identity) -> (Identity, Identity) {
    let (before, after) = (old.names(), new.names());
    let mut path: Vec<&str> = before.clone();
    if let (Some(last), Some(now)) = (path.last_mut(), after.last()) {
        *last = now;
    }
    // A whole thing that moved takes its new schema along.
    if before.len() == 2
        && let (Some(first), Some(now)) = (path.first_mut(), after.first())
    {
        *first = now;
    }
    (old.clone(), Identity::from_text(format!("{}:{}", old.kind_word(), path.join("."))))
}

fn apply(value: &mut Value, change: &dyn Fn(&str) -> String) {
    match value {
        Value::String(text) => {
            let new = change(text);
            if new != *text {
                *text = new;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| apply(item, change)),
        Value::Object(map) => map.values_mut().for_each(|item| apply(item, change)),
        _ => {}
    }
}
