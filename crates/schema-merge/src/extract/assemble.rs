//! Puts the answers of the extract queries together to one catalog.

use hashbrown::HashMap;
use serde::de::DeserializeOwned;
use serde_json::{Value, json, value::RawValue};

use super::addresses::{Addresses, CONSTRAINT, EXTENSION, FUNCTION, NAMESPACE, POLICY, RELATION, TRIGGER, TYPE};
use super::printing::settled;
use super::{ExtractError, access, definitions, foreign, inheritance, keys, publications, relations, rows, rules};
use crate::catalog::{Catalog, Fact, Fields, Identity, Kind, Lineage};

/// What is gathered while the answers are read.
pub(super) struct Gathering {
    pub(super) catalog: Catalog,
    pub(super) addresses: Addresses,
    /// Relations that facts may hang on: identity (none for open internal tables), qualified name, owner.
    pub(super) relations: HashMap<i64, RelationSeen>,
    /// Columns that a child only inherits, by table and number.
    pub(super) inherited: HashMap<(i64, i64), inheritance::InheritedColumn>,
    /// Names of constraints that only follow those of a parent.
    pub(super) followers: HashMap<i64, String>,
}

pub(super) struct RelationSeen {
    pub(super) identity: Option<Identity>,
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) replica_identity: String,
}

/// Builds the catalog from the answers of all [`super::queries`], given in any order and unparsed: each is read once, into its own shape.
pub fn assemble(results: Vec<(impl Into<String>, Box<RawValue>)>) -> Result<Catalog, ExtractError> {
    let mut answers: HashMap<String, Box<RawValue>> =
        results.into_iter().map(|(name, value)| (name.into(), value)).collect();
    let server: rows::Server = take(&mut answers, "server")?;
    let mut gathering = Gathering {
        catalog: Catalog::new(server.version),
        addresses: Addresses::default(),
        relations: HashMap::new(),
        inherited: HashMap::new(),
        followers: HashMap::new(),
    };
    let extensions: Vec<rows::Extension> = take(&mut answers, "extensions")?;
    let members: Vec<(i64, i64, i64)> = take(&mut answers, "extension_members")?;
    gathering.extensions(&extensions, &members);
    gathering.unmodelled(take(&mut answers, "unmodelled")?);
    gathering.schemas(take(&mut answers, "schemas")?);
    gathering.types(take(&mut answers, "types")?);
    definitions::gather(&mut gathering, take(&mut answers, "definitions")?);
    gathering.functions(take(&mut answers, "functions")?);
    foreign::gather(&mut gathering, take(&mut answers, "foreign")?);
    relations::gather(&mut gathering, take(&mut answers, "relations")?);
    inheritance::gather(&mut gathering, take(&mut answers, "inheritance")?, take(&mut answers, "columns")?);
    keys::gather(&mut gathering, take(&mut answers, "constraints")?, take(&mut answers, "indexes")?);
    rules::gather(&mut gathering, take(&mut answers, "rules")?, take(&mut answers, "statistics")?);
    publications::gather(&mut gathering, take(&mut answers, "publications")?);
    relations::sequences(&mut gathering, take(&mut answers, "sequences")?);
    gathering.triggers(take(&mut answers, "triggers")?);
    gathering.policies(take(&mut answers, "policies")?);
    let aliases: rows::Aliases = take(&mut answers, "aliases")?;
    gathering.addresses.learn(&aliases);
    access::grants(&mut gathering, take(&mut answers, "grants")?);
    access::default_privileges(&mut gathering, take(&mut answers, "default_privileges")?);
    access::comments(&mut gathering, take(&mut answers, "comments")?);
    let edges: String = take(&mut answers, "depends")?;
    let Gathering { mut catalog, addresses, .. } = gathering;
    addresses.connect(&mut catalog, edges.split(';').filter_map(rows::edge));
    Ok(catalog)
}

fn take<T: DeserializeOwned>(
    answers: &mut HashMap<String, Box<RawValue>>,
    name: &'static str,
) -> Result<T, ExtractError> {
    let value = answers.remove(name).ok_or(ExtractError::Missing(name))?;
    serde_json::from_str(value.get()).map_err(|source| ExtractError::Shape { name, source })
}

/// Fields that hold what Postgres printed of an expression.
const PRINTED: [&str; 7] = ["definition", "expression", "generated", "using", "check", "default", "where"];

/// A fact with its fields given as a JSON object.
pub(super) fn fact(
    identity: Identity,
    kind: Kind,
    parent: Option<Identity>,
    fields: impl Into<Fields>,
    lineage: Lineage,
) -> Fact {
    let mut fields: Fields = fields.into();
    let parsed_body = fields.get("standard_body") == Some(&Value::Bool(true));
    for (name, value) in fields.iter_mut() {
        match value {
            Value::String(text) if PRINTED.contains(&name.as_str()) || name == "body" && parsed_body => {
                *text = settled(text)
            }
            _ => {}
        }
    }
    Fact { identity, kind, parent, fields, depends_on: Vec::new(), lineage }
}

pub(super) fn lineage(class: i64, oid: i64, sub: i64, role: &str) -> Lineage {
    Lineage {
        object: Some(format!("{class}:{oid}:{sub}")),
        position: sub,
        role: Some(role.to_owned()),
        ..Lineage::default()
    }
}

impl Gathering {
    /// Adds a fact that lives in a schema and remembers its address.
    pub(super) fn add(&mut self, class: i64, oid: i64, mut fact: Fact) {
        if self.addresses.is_member(class, oid) {
            return;
        }
        // The schema of statistics need not be their table's.
        let in_schema = fact.parent.is_none() || fact.kind == Kind::Statistics;
        if in_schema && fact.kind != Kind::Schema && fact.kind != Kind::Extension {
            let schema = Identity::new(Kind::Schema, fact.identity.names()[0]);
            if self.catalog.contains(&schema) {
                fact.depends_on.push(schema);
            }
        }
        self.addresses.object(class, oid, &fact.identity);
        self.catalog.insert(fact);
    }

    fn extensions(&mut self, extensions: &[rows::Extension], members: &[(i64, i64, i64)]) {
        let mut by_oid = HashMap::new();
        for row in extensions {
            let identity = Identity::new(Kind::Extension, &row.name);
            by_oid.insert(row.oid, identity.clone());
            let mut extension =
                fact(identity, Kind::Extension, None, json!({ "schema": row.schema }), Lineage::default());
            extension.depends_on.push(Identity::new(Kind::Schema, &row.schema));
            self.add(EXTENSION, row.oid, extension);
        }
        for (class, oid, extension) in members {
            if let Some(identity) = by_oid.get(extension) {
                self.addresses.member(*class, *oid, identity);
            }
        }
    }

    fn unmodelled(&mut self, found: Vec<rows::Unmodelled>) {
        for row in found {
            let identity = Identity::new(Kind::Unmodelled, format!("{}:{}", row.kind, row.name));
            let fields = json!({ "kind": row.kind, "name": row.name, "hash": row.hash });
            self.addresses.object(row.class, row.oid, &identity);
            self.catalog.insert(fact(identity, Kind::Unmodelled, None, fields, lineage(row.class, row.oid, 0, "")));
        }
    }

    fn schemas(&mut self, schemas: Vec<rows::Schema>) {
        for row in schemas {
            let fields = json!({ "owner": row.owner });
            let schema = fact(
                Identity::new(Kind::Schema, &row.name),
                Kind::Schema,
                None,
                fields,
                lineage(NAMESPACE, row.oid, 0, &row.owner),
            );
            self.add(NAMESPACE, row.oid, schema);
        }
        let dangling: Vec<Fact> = self
            .catalog
            .iter()
            .filter(|fact| {
                fact.kind == Kind::Extension && fact.depends_on.iter().any(|schema| !self.catalog.contains(schema))
            })
            .cloned()
            .collect();
        for mut extension in dangling {
            extension.depends_on.clear();
            self.catalog.insert(extension);
        }
    }

    fn types(&mut self, types: Vec<rows::Type>) {
        for row in types {
            let path = format!("{}.{}", row.schema, row.name);
            let mut lineage = lineage(TYPE, row.oid, 0, &row.owner);
            lineage.labels = row.label_oids.unwrap_or_default().iter().map(i64::to_string).collect();
            let made = if row.typtype == "e" {
                let fields = json!({ "labels": row.labels.unwrap_or_default(), "owner": row.owner });
                fact(Identity::new(Kind::Enum, path), Kind::Enum, None, fields, lineage)
            } else {
                let fields = json!({
                    "base": row.base, "collation": row.collation, "default": row.default, "not_null": row.not_null,
                    "owner": row.owner,
                });
                fact(Identity::new(Kind::Domain, path), Kind::Domain, None, fields, lineage)
            };
            self.add(TYPE, row.oid, made);
        }
    }

    fn functions(&mut self, functions: Vec<rows::Function>) {
        for row in functions.into_iter().filter(|row| row.plain) {
            let identity = Identity::new(Kind::Function, format!("{}.{}({})", row.schema, row.name, row.input));
            let fields = json!({
                "kind": match row.prokind.as_str() { "p" => "procedure", "w" => "window", _ => "function" },
                "language": row.language, "arguments": row.arguments,
                "signature": row.signature, "optional_arguments": row.optional_arguments, "returns": row.returns,
                "body": row.body, "standard_body": row.standard_body, "volatility": row.volatility, "strict": row.strict,
                "security_definer": row.security_definer, "leakproof": row.leakproof, "parallel": row.parallel,
                "support": row.support, "transforms": row.transforms, "cost": row.cost, "rows": row.rows, "config": row.config, "owner": row.owner,
            });
            let made = fact(identity, Kind::Function, None, fields, lineage(FUNCTION, row.oid, 0, &row.owner));
            self.add(FUNCTION, row.oid, made);
        }
    }

    fn triggers(&mut self, triggers: Vec<rows::Trigger>) {
        for row in triggers {
            let Some(on) = self.relations.get(&row.relation) else { continue };
            let identity = Identity::new(Kind::Trigger, format!("{}.{}", on.name, row.name));
            let mut lineage = lineage(TRIGGER, row.oid, 0, &on.owner);
            lineage.otherwise = row.of_enabled;
            let above = row.of.and_then(|oid| self.addresses.resolve(TRIGGER, oid, 0)).cloned();
            let fields = match &above {
                Some(above) => json!({ "of": above.path(), "enabled": row.enabled }),
                None => json!({ "definition": row.definition, "enabled": row.enabled }),
            };
            let mut made = fact(identity, Kind::Trigger, on.identity.clone(), fields, lineage);
            made.depends_on.extend(above);
            self.add(TRIGGER, row.oid, made);
        }
    }

    fn policies(&mut self, policies: Vec<rows::Policy>) {
        for row in policies {
            let Some(on) = self.relations.get(&row.relation) else { continue };
            let identity = Identity::new(Kind::Policy, format!("{}.{}", on.name, row.name));
            let fields = json!({
                "command": row.command, "permissive": row.permissive, "roles": row.roles, "using": row.using, "check": row.check,
            });
            let made =
                fact(identity, Kind::Policy, on.identity.clone(), fields, lineage(POLICY, row.oid, 0, &on.owner));
            self.add(POLICY, row.oid, made);
        }
    }

    pub(super) fn constraint_index(&mut self, index: i64, constraint: &Identity) {
        self.addresses.object(RELATION, index, constraint);
    }

    pub(super) fn constraint(&mut self, oid: i64, made: Fact) {
        self.add(CONSTRAINT, oid, made);
    }
}
