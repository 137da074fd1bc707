//! Kinds whose facts the query itself puts together: collations, composite and range types, aggregates, operators and the like.

use serde_json::Value;

use super::assemble::{Gathering, fact, lineage};
use super::{addresses::RELATION, rows};
use crate::catalog::{Identity, Kind};

pub(super) fn gather(gathering: &mut Gathering, definitions: Vec<rows::Definition>) {
    for row in definitions {
        let mut fields = row.fields;
        if let (true, Value::Object(map)) = (owned(row.kind), &mut fields) {
            map.insert("owner".to_owned(), row.owner.clone().into());
        }
        let parent = row.parent.map(Identity::from_text);
        let identity = Identity::new(row.kind, row.path);
        let made = fact(identity.clone(), row.kind, parent, fields, lineage(row.class, row.oid, row.sub, &row.owner));
        if row.class == RELATION && row.sub != 0 {
            gathering.addresses.column(row.oid, row.sub, &identity);
            gathering.catalog.insert(made);
        } else {
            gathering.add(row.class, row.oid, made);
        }
    }
}

/// A cast has no owner; parts have that of the whole.
fn owned(kind: Kind) -> bool {
    !matches!(kind, Kind::Cast | Kind::Attribute | Kind::DomainConstraint)
}
