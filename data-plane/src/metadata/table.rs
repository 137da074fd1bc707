//! One public table in detail. A table that does not exist has nothing in every list.

use deadpool_postgres::ClientWrapper;
use serde_json::Value;

use crate::http::Result;

const DESCRIBE: &str = "
with target as (
    select c.oid, c.relrowsecurity from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relname = $1 and c.relkind in ('r', 'p', 'v', 'm', 'f')
)
select jsonb_build_object(
    'schema', coalesce((
        select jsonb_agg(jsonb_build_object('columnName', i.column_name, 'dataType', i.data_type,
            'characterMaximumLength', i.character_maximum_length, 'isNullable', i.is_nullable,
            'columnDefault', i.column_default) order by i.ordinal_position)
        from information_schema.columns i where i.table_schema = 'public' and i.table_name = $1), '[]'),
    'indexes', coalesce((
        select jsonb_agg(jsonb_build_object('indexname', x.relname, 'indexdef', pg_get_indexdef(x.oid),
            'isUnique', i.indisunique, 'isPrimary', i.indisprimary) order by x.relname)
        from target t join pg_index i on i.indrelid = t.oid join pg_class x on x.oid = i.indexrelid), '[]'),
    'foreignKeys', coalesce((
        select jsonb_agg(jsonb_build_object('constraintName', k.conname, 'columnName', a.attname,
            'foreignTableName', f.relname, 'foreignColumnName', b.attname,
            'deleteRule', r.delete_rule, 'updateRule', r.update_rule) order by k.conname, u.position)
        from target t
        join pg_constraint k on k.conrelid = t.oid and k.contype = 'f'
        cross join unnest(k.conkey, k.confkey) with ordinality as u (own, foreign_number, position)
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.own
        join pg_attribute b on b.attrelid = k.confrelid and b.attnum = u.foreign_number
        join pg_class f on f.oid = k.confrelid
        cross join lateral (select
            case k.confdeltype when 'a' then 'NO ACTION' when 'r' then 'RESTRICT' when 'c' then 'CASCADE'
                when 'n' then 'SET NULL' else 'SET DEFAULT' end as delete_rule,
            case k.confupdtype when 'a' then 'NO ACTION' when 'r' then 'RESTRICT' when 'c' then 'CASCADE'
                when 'n' then 'SET NULL' else 'SET DEFAULT' end as update_rule) as r), '[]'),
    'rlsEnabled', coalesce((select relrowsecurity from target limit 1), false),
    'policies', coalesce((
        select jsonb_agg(jsonb_build_object('policyname', p.policyname, 'cmd', p.cmd, 'roles', p.roles::text,
            'qual', p.qual, 'withCheck', p.with_check) order by p.policyname)
        from pg_policies p where p.schemaname = 'public' and p.tablename = $1), '[]'),
    'triggers', coalesce((
        select jsonb_agg(jsonb_build_object('triggerName', g.trigger_name, 'actionTiming', g.action_timing,
            'eventManipulation', g.event_manipulation, 'actionOrientation', g.action_orientation,
            'actionCondition', g.action_condition, 'actionStatement', g.action_statement,
            'newTable', g.action_reference_new_table, 'oldTable', g.action_reference_old_table)
            order by g.trigger_name, g.event_manipulation)
        from information_schema.triggers g
        where g.event_object_schema = 'public' and g.event_object_table = $1), '[]'),
    'rows', '[]'::jsonb)";

/// The table's description.
pub(super) async fn describe(client: &ClientWrapper, name: &str) -> Result<Value> {
    Ok(client.query_one(DESCRIBE, &[&name]).await?.get(0))
}
