//! Showing a table.

use serde_json::{Value, json};
use tokio_postgres::{error::SqlState, types::ToSql};

use crate::{
    database::{quoting::qualified, read_catalog},
    http::Result,
    state::App,
    transaction::{self, Context},
};

const COLUMNS: &str = "select a.attname, not a.attnotnull, pg_catalog.pg_get_expr(d.adbin, d.adrelid),
        case
            when b.typcategory = 'A' then 'ARRAY'
            when bn.nspname <> 'pg_catalog' then b.typname::text
            else pg_catalog.format_type(b.oid, null)
        end,
        exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary and a.attnum = any (i.indkey)),
        exists (select from pg_constraint k where k.conrelid = c.oid and k.contype in ('p', 'u') and a.attnum = any (k.conkey))
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_type t on t.oid = a.atttypid
    join pg_type b on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
    join pg_namespace bn on bn.oid = b.typnamespace
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum and a.attgenerated = ''
    where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p', 'v', 'm', 'f')
    order by a.attnum";

const FOREIGN_KEYS: &str = "select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
        'constraintName', k.conname,
        'referenceTable', case when fn.nspname = 'public' then f.relname::text else fn.nspname || '.' || f.relname end,
        'referenceColumns', (
            select pg_catalog.json_agg(pg_catalog.json_build_object('sourceColumn', s.attname, 'referenceColumn', r.attname) order by p.position)
            from unnest(k.conkey, k.confkey) with ordinality as p (own, referenced, position)
            join pg_attribute s on s.attrelid = k.conrelid and s.attnum = p.own
            join pg_attribute r on r.attrelid = k.confrelid and r.attnum = p.referenced),
        'onDelete', case k.confdeltype when 'c' then 'CASCADE' when 'n' then 'SET NULL' when 'd' then 'SET DEFAULT' when 'r' then 'RESTRICT' else 'NO ACTION' end,
        'onUpdate', case k.confupdtype when 'c' then 'CASCADE' when 'n' then 'SET NULL' when 'd' then 'SET DEFAULT' when 'r' then 'RESTRICT' else 'NO ACTION' end
    ) order by k.conname), '[]')
    from pg_constraint k
    join pg_class c on c.oid = k.conrelid
    join pg_namespace n on n.oid = c.relnamespace
    join pg_class f on f.oid = k.confrelid
    join pg_namespace fn on fn.oid = f.relnamespace
    where k.contype = 'f' and n.nspname = $1 and c.relname = $2";

/// The contract's description of a table or view; absent when there is none.
pub(super) async fn description(app: &App, schema: &str, table: &str) -> Result<Option<Value>> {
    let catalog = read_catalog(app).await?;
    let parameters: [&(dyn ToSql + Sync); 2] = [&schema, &table];
    let (columns, keys) =
        futures::try_join!(catalog.query(COLUMNS, &parameters), catalog.query_one(FOREIGN_KEYS, &parameters))?;
    catalog.commit().await?;
    if columns.is_empty() {
        return Ok(None);
    }
    let mut described = Vec::new();
    for row in &columns {
        let mut column = json!({
            "columnName": row.try_get::<_, &str>(0)?,
            "type": api_type(row.try_get(3)?),
            "isNullable": row.try_get::<_, bool>(1)?,
            "isPrimaryKey": row.try_get::<_, bool>(4)?,
            "isUnique": row.try_get::<_, bool>(5)?,
        });
        if let Some(default) = row.try_get::<_, Option<&str>>(2)? {
            column["defaultValue"] = shown_default(default).into();
        }
        described.push(column);
    }
    let foreign_keys: Value = keys.try_get(0)?;
    Ok(Some(json!({
        "schemaName": schema,
        "tableName": table,
        "columns": described,
        "foreignKeys": foreign_keys,
        "recordCount": count(app, schema, table).await?,
    })))
}

/// Counted as the administrator, who may lack the right to read platform tables; then there is nothing to count for it.
async fn count(app: &App, schema: &str, table: &str) -> Result<i64> {
    let transaction = transaction::begin(&app.pools, &Context::admin().read_only()).await?;
    let counted = transaction.query_one(&format!("select count(*) from {}", qualified(schema, table)), &[]).await;
    transaction.rollback().await?;
    match counted {
        Ok(row) => Ok(row.try_get(0)?),
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// The API's name of an SQL type; unknown ones are cut to eight characters.
fn api_type(sql: &str) -> String {
    match sql {
        "uuid" => "uuid",
        "timestamp with time zone" | "timestamptz" => "datetime",
        "date" => "date",
        "integer" | "bigint" | "smallint" => "integer",
        "double precision" | "real" | "numeric" | "decimal" => "float",
        "boolean" => "boolean",
        "json" | "jsonb" | "ARRAY" => "json",
        "text" | "character varying" | "character" => "string",
        other => return other.chars().take(8).collect(),
    }
    .to_owned()
}

/// `'v'::type` → `v`, `expr::type` → `expr`.
fn shown_default(default: &str) -> String {
    let without_cast = match default.rfind("::") {
        Some(at) if !default[at..].contains(['\'', '(', ')']) || default.starts_with('\'') => &default[..at],
        _ => default,
    };
    let quoted = without_cast.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    quoted.map_or_else(|| without_cast.to_owned(), |text| text.replace("''", "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_and_types_read_back() {
        assert_eq!(shown_default("'draft'::text"), "draft");
        assert_eq!(shown_default("'it''s'::character varying"), "it's");
        assert_eq!(shown_default("now()"), "now()");
        assert_eq!(shown_default("nextval('a_id_seq'::regclass)"), "nextval('a_id_seq'::regclass)");
        assert_eq!(shown_default("'0.0'::double precision"), "0.0");
        assert_eq!(api_type("timestamp without time zone"), "timestam");
        assert_eq!(api_type("vector"), "vector");
    }
}
