//! Rewrite rules and extended statistics.

use serde_json::json;

use super::addresses::RULE;
use super::assemble::{Gathering, fact, lineage};
use super::rows;
use crate::catalog::{Identity, Kind};

const STATISTICS: i64 = 3381;

pub(super) fn gather(gathering: &mut Gathering, rules: Vec<rows::Rule>, statistics: Vec<rows::Statistics>) {
    for row in rules {
        let Some(on) = gathering.relations.get(&row.relation) else { continue };
        let Some(parent) = on.identity.clone() else { continue };
        let identity = Identity::new(Kind::Rule, format!("{}.{}", on.name, row.name));
        let fields = json!({ "definition": row.definition, "enabled": row.enabled });
        let made = fact(identity, Kind::Rule, Some(parent), fields, lineage(RULE, row.oid, 0, &on.owner));
        gathering.add(RULE, row.oid, made);
    }
    for row in statistics {
        let Some(parent) = gathering.relations.get(&row.relation).and_then(|on| on.identity.clone()) else { continue };
        let identity = Identity::new(Kind::Statistics, format!("{}.{}", row.schema, row.name));
        let fields = json!({ "definition": row.definition, "target": row.target, "owner": row.owner });
        let made = fact(identity, Kind::Statistics, Some(parent), fields, lineage(STATISTICS, row.oid, 0, &row.owner));
        gathering.add(STATISTICS, row.oid, made);
    }
}
