//! Publications, and what they publish.

use hashbrown::HashMap;
use serde_json::json;

use super::addresses::RELATION;
use super::assemble::{Gathering, fact, lineage};
use super::rows;
use crate::catalog::{Identity, Kind, Lineage};

const PUBLICATION: i64 = 6104;
const PUBLICATION_TABLE: i64 = 6106;
const PUBLICATION_SCHEMA: i64 = 6237;

pub(super) fn gather(gathering: &mut Gathering, rows: rows::Publications) {
    let mut by_oid: HashMap<i64, (Identity, String)> = HashMap::new();
    for row in rows.publications {
        if gathering.addresses.is_member(PUBLICATION, row.oid) {
            continue;
        }
        let identity = Identity::new(Kind::Publication, &row.name);
        let operations: Vec<_> =
            [("insert", row.insert), ("update", row.update), ("delete", row.delete), ("truncate", row.truncate)]
                .into_iter()
                .filter_map(|(word, on)| on.then_some(word))
                .collect();
        let mut fields = json!({
            "all_tables": row.all_tables, "operations": operations, "via_root": row.via_root, "owner": row.owner,
        });
        if let Some(generated) = row.generated_columns {
            fields["generated_columns"] = generated.into();
        }
        if let Some(sequences) = row.all_sequences.filter(|value| value == "true") {
            fields["all_sequences"] = sequences.into();
        }
        let made =
            fact(identity.clone(), Kind::Publication, None, fields, lineage(PUBLICATION, row.oid, 0, &row.owner));
        gathering.addresses.object(PUBLICATION, row.oid, &identity);
        gathering.catalog.insert(made);
        by_oid.insert(row.oid, (identity, row.owner));
    }
    for row in rows.tables {
        let Some((parent, owner)) = by_oid.get(&row.publication).cloned() else { continue };
        let identity = Identity::new(Kind::PublicationTable, format!("{}.{}", parent.path(), row.name));
        let fields = json!({ "table": row.name, "columns": row.columns, "where": row.filter });
        let lineage = Lineage { role: Some(owner), ..Lineage::default() };
        let mut made = fact(identity.clone(), Kind::PublicationTable, Some(parent), fields, lineage);
        made.depends_on.extend(gathering.addresses.resolve(RELATION, row.relation, 0).cloned());
        gathering.addresses.object(PUBLICATION_TABLE, row.oid, &identity);
        gathering.catalog.insert(made);
    }
    for row in rows.schemas {
        let Some((parent, owner)) = by_oid.get(&row.publication).cloned() else { continue };
        let identity = Identity::new(Kind::PublicationSchema, format!("{}.{}", parent.path(), row.schema));
        let schema = Identity::new(Kind::Schema, &row.schema);
        let lineage = Lineage { role: Some(owner), ..Lineage::default() };
        let mut made =
            fact(identity.clone(), Kind::PublicationSchema, Some(parent), json!({ "schema": row.schema }), lineage);
        made.depends_on.extend(Some(schema).filter(|schema| gathering.catalog.contains(schema)));
        gathering.addresses.object(PUBLICATION_SCHEMA, row.oid, &identity);
        gathering.catalog.insert(made);
    }
}
