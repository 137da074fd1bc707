//! The answers of the extract queries as Postgres sends them. Names arrive quoted.

use serde::Deserialize;
use serde_json::Value;

use crate::catalog::Kind;

#[derive(Deserialize)]
pub(super) struct Server {
    pub(super) version: u32,
}

#[derive(Deserialize)]
pub(super) struct Schema {
    pub(super) oid: i64,
    pub(super) name: String,
    pub(super) owner: String,
}

#[derive(Deserialize)]
pub(super) struct Extension {
    pub(super) oid: i64,
    pub(super) name: String,
    pub(super) schema: String,
}

#[derive(Deserialize)]
pub(super) struct Type {
    pub(super) oid: i64,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) owner: String,
    #[serde(rename = "type")]
    pub(super) typtype: String,
    pub(super) labels: Option<Vec<String>>,
    pub(super) label_oids: Option<Vec<i64>>,
    pub(super) base: Option<String>,
    pub(super) collation: Option<String>,
    pub(super) default: Option<String>,
    pub(super) not_null: bool,
}

/// A fact that the query put together by itself.
#[derive(Deserialize)]
pub(super) struct Definition {
    pub(super) class: i64,
    pub(super) oid: i64,
    pub(super) sub: i64,
    pub(super) kind: Kind,
    pub(super) path: String,
    pub(super) parent: Option<String>,
    pub(super) owner: String,
    pub(super) fields: Value,
}

#[derive(Deserialize)]
pub(super) struct ViewColumn {
    pub(super) number: i64,
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) column_type: String,
    pub(super) default: Option<String>,
    pub(super) default_oid: Option<i64>,
    pub(super) storage: Option<String>,
    pub(super) type_storage: Option<String>,
    pub(super) compression: Option<String>,
    pub(super) statistics: Option<i64>,
    pub(super) options: Option<Vec<String>>,
}

#[derive(Deserialize)]
pub(super) struct Relation {
    pub(super) oid: i64,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) relkind: String,
    pub(super) open: bool,
    pub(super) plain: bool,
    pub(super) of_type: Option<String>,
    pub(super) unlogged: bool,
    pub(super) options: Option<Vec<String>>,
    pub(super) row_security: bool,
    pub(super) force_row_security: bool,
    pub(super) replica_identity: String,
    pub(super) partition_key: Option<String>,
    pub(super) server: Option<String>,
    pub(super) server_options: Option<Vec<String>>,
    pub(super) view: Option<String>,
    pub(super) view_columns: Option<Vec<ViewColumn>>,
}

#[derive(Deserialize)]
pub(super) struct Column {
    pub(super) relation: i64,
    pub(super) number: i64,
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) column_type: String,
    pub(super) collation: Option<String>,
    pub(super) not_null: bool,
    pub(super) storage: Option<String>,
    pub(super) type_storage: String,
    pub(super) compression: Option<String>,
    pub(super) statistics: Option<i64>,
    pub(super) options: Option<Vec<String>>,
    pub(super) generated: Option<String>,
    pub(super) expression: Option<String>,
    pub(super) expression_oid: Option<i64>,
    pub(super) identity: Option<Value>,
    pub(super) identity_oid: Option<i64>,
    pub(super) inherited_only: bool,
    pub(super) foreign_options: Option<Vec<String>>,
}

/// A table's place under another: as a partition when there is a bound.
#[derive(Deserialize)]
pub(super) struct Inherits {
    pub(super) child: i64,
    pub(super) parent: i64,
    pub(super) position: i64,
    pub(super) bound: Option<String>,
    pub(super) detaching: bool,
}

#[derive(Deserialize)]
pub(super) struct Constraint {
    pub(super) oid: i64,
    pub(super) relation: i64,
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) contype: String,
    pub(super) index: Option<i64>,
    pub(super) definition: String,
    pub(super) deferrable: bool,
    pub(super) deferred: bool,
    pub(super) validated: bool,
    pub(super) no_inherit: bool,
    pub(super) parent: Option<i64>,
    pub(super) inherited_only: bool,
}

#[derive(Deserialize)]
pub(super) struct Index {
    pub(super) oid: i64,
    pub(super) relation: i64,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) valid: bool,
    pub(super) unique: bool,
    pub(super) partitioned: bool,
    pub(super) of: Option<i64>,
    pub(super) columns: Option<Vec<String>>,
    pub(super) replica: bool,
    pub(super) clustered: bool,
    pub(super) constraint: Option<i64>,
    pub(super) options: Option<Vec<String>>,
    pub(super) definition: Option<String>,
    pub(super) statistics: Option<Value>,
}

#[derive(Deserialize)]
pub(super) struct Rule {
    pub(super) oid: i64,
    pub(super) relation: i64,
    pub(super) name: String,
    pub(super) enabled: String,
    pub(super) definition: String,
}

#[derive(Deserialize)]
pub(super) struct Statistics {
    pub(super) oid: i64,
    pub(super) relation: i64,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) definition: String,
    pub(super) target: Option<i64>,
}

#[derive(Deserialize)]
pub(super) struct Publications {
    pub(super) publications: Vec<Publication>,
    pub(super) tables: Vec<PublicationTable>,
    pub(super) schemas: Vec<PublicationSchema>,
}

#[derive(Deserialize)]
pub(super) struct Publication {
    pub(super) oid: i64,
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) all_tables: bool,
    pub(super) insert: bool,
    pub(super) update: bool,
    pub(super) delete: bool,
    pub(super) truncate: bool,
    pub(super) via_root: bool,
    pub(super) generated_columns: Option<String>,
    pub(super) all_sequences: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct PublicationTable {
    pub(super) oid: i64,
    pub(super) publication: i64,
    pub(super) relation: i64,
    pub(super) name: String,
    pub(super) columns: Option<String>,
    #[serde(rename = "where")]
    pub(super) filter: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct PublicationSchema {
    pub(super) oid: i64,
    pub(super) publication: i64,
    pub(super) schema: String,
}

#[derive(Deserialize)]
pub(super) struct Foreign {
    pub(super) wrappers: Vec<ForeignDataWrapper>,
    pub(super) servers: Vec<ForeignServer>,
    pub(super) mappings: Vec<UserMapping>,
}

#[derive(Deserialize)]
pub(super) struct ForeignDataWrapper {
    pub(super) oid: i64,
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) options: Option<Vec<String>>,
    pub(super) handler: Option<String>,
    pub(super) validator: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct ForeignServer {
    pub(super) oid: i64,
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) options: Option<Vec<String>>,
    pub(super) wrapper: String,
    #[serde(rename = "type")]
    pub(super) server_type: Option<String>,
    pub(super) version: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct UserMapping {
    pub(super) oid: i64,
    pub(super) server: i64,
    pub(super) role: String,
    pub(super) options: Option<Vec<String>>,
}

#[derive(Deserialize)]
pub(super) struct Sequence {
    pub(super) oid: i64,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) owner: String,
    #[serde(rename = "type")]
    pub(super) value_type: String,
    pub(super) start: i64,
    pub(super) increment: i64,
    pub(super) minimum: i64,
    pub(super) maximum: i64,
    pub(super) cache: i64,
    pub(super) cycle: bool,
    pub(super) unlogged: bool,
    pub(super) owned_by: Option<(i64, i64)>,
}

#[derive(Deserialize)]
pub(super) struct Function {
    pub(super) oid: i64,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) input: String,
    pub(super) owner: String,
    pub(super) prokind: String,
    pub(super) language: String,
    pub(super) arguments: String,
    pub(super) returns: Option<String>,
    pub(super) body: String,
    pub(super) standard_body: bool,
    pub(super) volatility: String,
    pub(super) strict: bool,
    pub(super) security_definer: bool,
    pub(super) leakproof: bool,
    pub(super) signature: Option<String>,
    pub(super) optional_arguments: i64,
    pub(super) support: Option<String>,
    pub(super) transforms: Option<Vec<String>>,
    pub(super) parallel: String,
    pub(super) cost: Value,
    pub(super) rows: Value,
    pub(super) config: Option<Vec<String>>,
    pub(super) plain: bool,
}

#[derive(Deserialize)]
pub(super) struct Trigger {
    pub(super) oid: i64,
    pub(super) relation: i64,
    pub(super) name: String,
    pub(super) enabled: String,
    pub(super) definition: Option<String>,
    pub(super) of: Option<i64>,
    pub(super) of_enabled: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Policy {
    pub(super) oid: i64,
    pub(super) relation: i64,
    pub(super) name: String,
    pub(super) command: String,
    pub(super) permissive: bool,
    pub(super) roles: Vec<String>,
    pub(super) using: Option<String>,
    pub(super) check: Option<String>,
}

/// A list of privileges and the objects that have it.
#[derive(Deserialize)]
pub(super) struct Grants {
    /// Class, oid and column number.
    pub(super) objects: Vec<(i64, i64, i64)>,
    pub(super) held: Vec<Held>,
}

/// Grantee, grantor where it is not the owner, privileges without and with grant option.
pub(super) type Held = (String, Option<String>, Option<Vec<String>>, Option<Vec<String>>);

#[derive(Deserialize)]
pub(super) struct DefaultPrivilege {
    pub(super) role: String,
    pub(super) schema: Option<String>,
    #[serde(rename = "type")]
    pub(super) object_type: String,
    pub(super) grantee: String,
    pub(super) privilege: String,
    pub(super) grantable: bool,
    pub(super) granted: bool,
}

/// Class, oid, column number, text.
pub(super) type Comment = (i64, i64, i64, String);

#[derive(Deserialize)]
pub(super) struct Aliases {
    pub(super) rules: Vec<(i64, i64)>,
    pub(super) types: Vec<(i64, Option<i64>, Option<i64>)>,
    pub(super) functions: Vec<(i64, i64)>,
    pub(super) multiranges: Vec<(i64, i64)>,
    pub(super) entries: Vec<(i64, i64, i64, i64)>,
}

/// Dependent class, oid, column; referenced class, oid, column.
pub(super) type Edge = (i64, i64, i64, i64, i64, i64);

/// Reads an edge from its six numbers.
pub(super) fn edge(text: &str) -> Option<Edge> {
    let mut numbers = text.split(',').map(|number| number.parse::<i64>().ok());
    let mut next = || numbers.next().flatten();
    Some((next()?, next()?, next()?, next()?, next()?, next()?))
}

#[derive(Deserialize)]
pub(super) struct Unmodelled {
    pub(super) class: i64,
    pub(super) oid: i64,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) hash: String,
}
