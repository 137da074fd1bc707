//! What a schema contains, for administrators.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::records::check_schema;
use crate::{
    authentication::RequireAdmin,
    http::{Query, Result},
    state::App,
};

/// The schema a request is about; `public` unless it says otherwise.
pub(super) fn schema_of(query: &Query) -> Result<String> {
    let schema = query.get("schema").map(str::trim).filter(|schema| !schema.is_empty()).unwrap_or("public");
    check_schema(schema)?;
    Ok(schema.to_owned())
}

async fn listed(app: &App, name: &str, sql: &str, schema: &str) -> Result<Json<Value>> {
    let catalog = super::read_catalog(app).await?;
    let items: Value = catalog.query_one(sql, &[&schema]).await?.try_get(0)?;
    catalog.commit().await?;
    Ok(Json(json!({ name: items })))
}

/// `GET /schemas`
pub(super) async fn list_schemas(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let sql = "select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('name', name, 'isProtected', protected)
                   order by name <> 'public', protected, name), '[]')
        from (
            select n.nspname as name, not pg_catalog.has_schema_privilege('project_admin', n.oid, 'create') as protected
            from pg_namespace n
            where n.nspname !~ '^(pg|hearth_undo|hearth_redo)_' and n.nspname <> 'information_schema' and $1 <> ''
        ) s";
    listed(&app, "schemas", sql, "public").await
}

/// `GET /functions`
pub(super) async fn list_functions(
    State(app): State<Arc<App>>,
    _admin: RequireAdmin,
    query: Query,
) -> Result<Json<Value>> {
    let sql = "select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('functionName', p.proname, 'functionDef', pg_catalog.pg_get_functiondef(p.oid),
                   'kind', p.prokind) order by p.proname, p.oid), '[]')
        from pg_proc p
        join pg_namespace n on n.oid = p.pronamespace
        where n.nspname = $1 and p.prokind in ('f', 'p', 'w')
          and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')";
    listed(&app, "functions", sql, &schema_of(&query)?).await
}

/// `GET /indexes`
pub(super) async fn list_indexes(
    State(app): State<Arc<App>>,
    _admin: RequireAdmin,
    query: Query,
) -> Result<Json<Value>> {
    let sql = "select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('tableName', t.relname, 'indexName', c.relname,
                   'indexDef', pg_catalog.pg_get_indexdef(i.indexrelid), 'isUnique', i.indisunique, 'isPrimary', i.indisprimary)
                   order by t.relname, c.relname), '[]')
        from pg_index i
        join pg_class c on c.oid = i.indexrelid
        join pg_class t on t.oid = i.indrelid
        join pg_namespace n on n.oid = t.relnamespace
        where n.nspname = $1 and t.relname not like '\\_%'";
    listed(&app, "indexes", sql, &schema_of(&query)?).await
}

/// `GET /policies`
pub(super) async fn list_policies(
    State(app): State<Arc<App>>,
    _admin: RequireAdmin,
    query: Query,
) -> Result<Json<Value>> {
    let sql = "select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('tableName', p.tablename, 'policyName', p.policyname, 'cmd', p.cmd,
                   'roles', p.roles::text, 'qual', p.qual, 'withCheck', p.with_check) order by p.tablename, p.policyname), '[]')
        from pg_policies p
        where p.schemaname = $1";
    listed(&app, "policies", sql, &schema_of(&query)?).await
}

/// `GET /triggers`
pub(super) async fn list_triggers(
    State(app): State<Arc<App>>,
    _admin: RequireAdmin,
    query: Query,
) -> Result<Json<Value>> {
    let sql = "select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
                   'tableName', c.relname,
                   'triggerName', t.tgname,
                   'actionTiming', case when t.tgtype::int & 2 = 2 then 'BEFORE' when t.tgtype::int & 64 = 64 then 'INSTEAD OF' else 'AFTER' end,
                   'eventManipulation', e.name,
                   'actionOrientation', case when t.tgtype::int & 1 = 1 then 'ROW' else 'STATEMENT' end,
                   'actionCondition', (pg_catalog.regexp_match(pg_catalog.pg_get_triggerdef(t.oid), 'WHEN \\((.+)\\) EXECUTE (?:FUNCTION|PROCEDURE)'))[1],
                   'actionStatement', substring(pg_catalog.pg_get_triggerdef(t.oid) from 'EXECUTE (?:FUNCTION|PROCEDURE) .*$'))
                   order by c.relname, t.tgname, e.position), '[]')
        from pg_trigger t
        join pg_class c on c.oid = t.tgrelid
        join pg_namespace n on n.oid = c.relnamespace
        join (values (1, 4, 'INSERT'), (2, 8, 'DELETE'), (3, 16, 'UPDATE'), (4, 32, 'TRUNCATE')) as e (position, bit, name)
          on t.tgtype::int & e.bit = e.bit
        where n.nspname = $1 and not t.tgisinternal";
    listed(&app, "triggers", sql, &schema_of(&query)?).await
}
