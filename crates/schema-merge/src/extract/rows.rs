//! The answers of the extract queries as Postgres sends them. Names arrive quoted.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

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
    pub(super) base: Option<String>,
    pub(super) collation: Option<String>,
    pub(super) default: Option<String>,
    pub(super) not_null: bool,
    pub(super) checks: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
pub(super) struct ViewColumn {
    pub(super) number: i64,
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) column_type: String,
    pub(super) default: Option<String>,
    pub(super) default_oid: Option<i64>,
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
    pub(super) unlogged: bool,
    pub(super) options: Option<Vec<String>>,
    pub(super) row_security: bool,
    pub(super) force_row_security: bool,
    pub(super) replica_identity: String,
    pub(super) replica_index: Option<i64>,
    pub(super) clustered_on: Option<i64>,
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
    pub(super) compression: Option<String>,
    pub(super) statistics: Option<i64>,
    pub(super) options: Option<Vec<String>>,
    pub(super) generated: Option<String>,
    pub(super) expression: Option<String>,
    pub(super) expression_oid: Option<i64>,
    pub(super) identity: Option<Value>,
    pub(super) identity_oid: Option<i64>,
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
}

#[derive(Deserialize)]
pub(super) struct Index {
    pub(super) oid: i64,
    pub(super) relation: i64,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) valid: bool,
    pub(super) unique: bool,
    pub(super) definition: String,
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
    pub(super) definition: String,
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

/// Class, oid, column number, grantee, privileges without and with grant option.
pub(super) type Grant = (i64, i64, i64, String, Option<Vec<String>>, Option<Vec<String>>);

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
}

/// Dependent class, oid, column; referenced class, oid, column.
pub(super) type Edge = (i64, i64, i64, i64, i64, i64);

#[derive(Deserialize)]
pub(super) struct Unmodelled {
    pub(super) class: i64,
    pub(super) oid: i64,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) hash: String,
}
