//! Tables, views and foreign tables, their columns and defaults, and sequences.

use serde_json::{Map, Value, json};

use super::addresses::{DEFAULT, RELATION};
use super::assemble::{Gathering, RelationSeen, fact, lineage};
use super::rows;
use crate::catalog::{Fact, Fields, Identity, Kind, Lineage, Secrets};

pub(super) fn gather(gathering: &mut Gathering, relations: Vec<rows::Relation>) {
    for row in relations.into_iter().filter(|row| row.plain || row.open) {
        let name = format!("{}.{}", row.schema, row.name);
        if gathering.addresses.is_member(RELATION, row.oid) {
            continue;
        }
        let identity = if row.open { None } else { Some(relation(gathering, &row, &name)) };
        if matches!(row.relkind.as_str(), "r" | "p") {
            row_security(gathering, &row, &name, identity.as_ref());
        }
        let replica_identity = row.replica_identity.clone();
        gathering.relations.insert(row.oid, RelationSeen { identity, name, owner: row.owner, replica_identity });
    }
}

fn relation(gathering: &mut Gathering, row: &rows::Relation, name: &str) -> Identity {
    let mut lineage = lineage(RELATION, row.oid, 0, &row.owner);
    let options = row.options.clone().unwrap_or_default();
    if matches!(row.relkind.as_str(), "v" | "m") {
        let kind = if row.relkind == "v" { Kind::View } else { Kind::MaterializedView };
        let identity = Identity::new(kind, name);
        let columns = row.view_columns.as_deref().unwrap_or_default();
        lineage.view_columns = columns.iter().map(|column| format!("{} {}", column.name, column.column_type)).collect();
        let mut fields = json!({ "definition": row.view, "options": options, "owner": row.owner });
        if kind == Kind::MaterializedView {
            fields["columns"] = Value::Object(columns.iter().filter_map(column_settings).collect());
        }
        gathering.add(RELATION, row.oid, fact(identity.clone(), kind, None, fields, lineage));
        for column in columns {
            gathering.addresses.view_column(row.oid, column.number, &column.name);
            if let (Some(default), Some(oid)) = (&column.default, column.default_oid) {
                let at = Identity::new(Kind::Default, format!("{name}.{}", column.name));
                let lineage = Lineage { position: column.number, role: Some(row.owner.clone()), ..Lineage::default() };
                let fields = json!({ "expression": default });
                gathering.add(DEFAULT, oid, fact(at, Kind::Default, Some(identity.clone()), fields, lineage));
            }
        }
        return identity;
    }
    if row.relkind == "f" {
        let identity = Identity::new(Kind::ForeignTable, name);
        let options = concealed(&mut lineage.secrets, &identity, row.server_options.clone());
        let fields = json!({ "server": row.server, "options": options, "owner": row.owner });
        gathering.add(RELATION, row.oid, fact(identity.clone(), Kind::ForeignTable, None, fields, lineage));
        return identity;
    }
    let identity = Identity::new(Kind::Table, name);
    let mut fields = json!({ "unlogged": row.unlogged, "options": options, "owner": row.owner });
    if let Some(key) = &row.partition_key {
        fields["partition_key"] = key.clone().into();
    }
    gathering.add(RELATION, row.oid, fact(identity.clone(), Kind::Table, None, fields, lineage));
    if let Some(of) = &row.of_type {
        let lineage = Lineage { role: Some(row.owner.clone()), ..Lineage::default() };
        let fields = json!({ "of": of });
        let mut link =
            fact(Identity::new(Kind::TypedTable, name), Kind::TypedTable, Some(identity.clone()), fields, lineage);
        let composite = Identity::new(Kind::Composite, of);
        link.depends_on.extend(Some(composite).filter(|composite| gathering.catalog.contains(composite)));
        gathering.catalog.insert(link);
    }
    identity
}

/// What a column of a materialized view has been set to.
fn column_settings(column: &rows::ViewColumn) -> Option<(String, Value)> {
    let mut settings = Map::new();
    if let Some(storage) = &column.storage {
        settings.insert("storage".to_owned(), storage.clone().into());
        settings.insert("type_storage".to_owned(), column.type_storage.clone().into());
    }
    settings.extend(column.compression.clone().map(|value| ("compression".to_owned(), value.into())));
    settings.extend(column.statistics.map(|value| ("statistics".to_owned(), value.into())));
    settings.extend(column.options.clone().map(|value| ("options".to_owned(), value.into())));
    (!settings.is_empty()).then(|| (column.name.clone(), Value::Object(settings)))
}

/// Options in an order of their own, with secrets kept aside.
pub(super) fn concealed(secrets: &mut Secrets, of: &Identity, options: Option<Vec<String>>) -> Vec<String> {
    let mut options: Vec<_> =
        options.unwrap_or_default().into_iter().map(|entry| secrets.conceal(of.as_str(), entry)).collect();
    options.sort();
    options
}

fn row_security(gathering: &mut Gathering, row: &rows::Relation, name: &str, parent: Option<&Identity>) {
    let identity = Identity::new(Kind::RowSecurity, name);
    let fields = json!({ "enabled": row.row_security, "forced": row.force_row_security });
    let lineage = Lineage { role: Some(row.owner.clone()), ..Lineage::default() };
    gathering.catalog.insert(fact(identity, Kind::RowSecurity, parent.cloned(), fields, lineage));
}

/// A column that its table declares.
pub(super) fn column(gathering: &mut Gathering, row: &rows::Column) {
    let Some(table) = gathering.relations.get(&row.relation) else { return };
    let (Some(parent), owner, path) =
        (table.identity.clone(), table.owner.clone(), format!("{}.{}", table.name, row.name))
    else {
        return;
    };
    let identity = Identity::new(Kind::Column, &path);
    let mut lineage = lineage(RELATION, row.relation, row.number, &owner);
    lineage.type_storage = Some(row.type_storage.clone());
    let mut fields = Fields::from([
        ("type", row.column_type.clone().into()),
        ("collation", row.collation.clone().into()),
        ("not_null", row.not_null.into()),
        ("identity", row.identity.clone().into()),
        ("generated", row.generated.as_ref().and(row.expression.clone()).into()),
        ("virtual", (row.generated.as_deref() == Some("v")).into()),
        ("storage", row.storage.clone().into()),
        ("compression", row.compression.clone().into()),
        ("statistics", row.statistics.into()),
        ("options", row.options.clone().unwrap_or_default().into()),
    ]);
    if row.foreign_options.is_some() {
        let options = concealed(&mut lineage.secrets, &identity, row.foreign_options.clone());
        fields.insert("foreign_options".to_owned(), options.into());
    }
    let made = fact(identity.clone(), Kind::Column, Some(parent), fields, lineage);
    gathering.addresses.column(row.relation, row.number, &identity);
    gathering.catalog.insert(made);
    if let Some(sequence) = row.identity_oid {
        gathering.addresses.object(RELATION, sequence, &identity);
    }
    if let Some(default) = default(row, &path, identity.clone(), &owner) {
        gathering.add(DEFAULT, row.expression_oid.unwrap_or_default(), default);
    } else if let Some(oid) = row.expression_oid {
        gathering.addresses.object(DEFAULT, oid, &identity);
    }
}

/// The default of a column, where it has one that is no generation expression.
fn default(row: &rows::Column, path: &str, parent: Identity, owner: &str) -> Option<Fact> {
    if row.generated.is_some() || row.expression_oid.is_none() {
        return None;
    }
    let lineage = Lineage { position: row.number, role: Some(owner.to_owned()), ..Lineage::default() };
    let fields = Fields::from([("expression", row.expression.clone().into())]);
    Some(fact(Identity::new(Kind::Default, path), Kind::Default, Some(parent), fields, lineage))
}

/// Sequences that are not inside an identity column, and the columns that own them.
pub(super) fn sequences(gathering: &mut Gathering, sequences: Vec<rows::Sequence>) {
    for row in sequences {
        let path = format!("{}.{}", row.schema, row.name);
        let identity = Identity::new(Kind::Sequence, &path);
        let mut fields = json!({
            "type": row.value_type, "start": row.start, "increment": row.increment, "minimum": row.minimum, "maximum": row.maximum,
            "cache": row.cache, "cycle": row.cycle, "owner": row.owner,
        });
        if row.unlogged {
            fields["unlogged"] = true.into();
        }
        gathering.add(
            RELATION,
            row.oid,
            fact(identity.clone(), Kind::Sequence, None, fields, lineage(RELATION, row.oid, 0, &row.owner)),
        );
        let owned = row
            .owned_by
            .and_then(|(relation, number)| gathering.addresses.resolve(RELATION, relation, number).cloned());
        if let Some(column) =
            owned.filter(|column| column.as_str().starts_with("column:") && gathering.catalog.contains(&identity))
        {
            let at = Identity::new(Kind::OwnedBy, &path);
            let lineage = Lineage { role: Some(row.owner.clone()), ..Lineage::default() };
            let mut made = fact(at, Kind::OwnedBy, Some(identity), json!({ "column": column.path() }), lineage);
            made.depends_on.push(column);
            gathering.catalog.insert(made);
        }
    }
}
