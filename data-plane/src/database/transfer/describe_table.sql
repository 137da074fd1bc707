with target as (
    select c.oid, c.relrowsecurity
    from pg_catalog.pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relname = $1 and c.relkind in ('r', 'p', 'v', 'm', 'f')
)
select pg_catalog.json_build_object(
    'schema', coalesce((
        select pg_catalog.json_agg(pg_catalog.json_build_object('columnName', i.column_name, 'dataType', i.data_type,
            'characterMaximumLength', i.character_maximum_length, 'isNullable', i.is_nullable,
            'columnDefault', i.column_default) order by i.ordinal_position)
        from information_schema.columns i where i.table_schema = 'public' and i.table_name = $1), '[]'),
    'indexes', coalesce((
        select pg_catalog.json_agg(pg_catalog.json_build_object('indexname', x.relname, 'indexdef', pg_catalog.pg_get_indexdef(x.oid),
            'isUnique', i.indisunique, 'isPrimary', i.indisprimary) order by x.relname)
        from target t join pg_index i on i.indrelid = t.oid join pg_class x on x.oid = i.indexrelid), '[]'),
    'foreignKeys', coalesce((
        select pg_catalog.json_agg(pg_catalog.json_build_object(
            'constraintName', k.conname,
            'referenceTable', case when fn.nspname = 'public' then f.relname::text else fn.nspname || '.' || f.relname end,
            'referenceColumns', (
                select pg_catalog.json_agg(pg_catalog.json_build_object('sourceColumn', s.attname, 'referenceColumn', r.attname) order by p.position)
                from unnest(k.conkey, k.confkey) with ordinality as p (own, referenced, position)
                join pg_attribute s on s.attrelid = k.conrelid and s.attnum = p.own
                join pg_attribute r on r.attrelid = k.confrelid and r.attnum = p.referenced),
            'onDelete', case k.confdeltype when 'c' then 'CASCADE' when 'n' then 'SET NULL' when 'd' then 'SET DEFAULT'
                when 'r' then 'RESTRICT' else 'NO ACTION' end,
            'onUpdate', case k.confupdtype when 'c' then 'CASCADE' when 'n' then 'SET NULL' when 'd' then 'SET DEFAULT'
                when 'r' then 'RESTRICT' else 'NO ACTION' end) order by k.conname)
        from target t
        join pg_constraint k on k.conrelid = t.oid and k.contype = 'f'
        join pg_class f on f.oid = k.confrelid
        join pg_namespace fn on fn.oid = f.relnamespace), '[]'),
    'rlsEnabled', coalesce((select relrowsecurity from target limit 1), false),
    'policies', coalesce((
        select pg_catalog.json_agg(pg_catalog.json_build_object('policyname', p.policyname, 'cmd', p.cmd, 'roles', p.roles::text,
            'qual', p.qual, 'withCheck', p.with_check) order by p.policyname)
        from pg_policies p where p.schemaname = 'public' and p.tablename = $1), '[]'),
    'triggers', coalesce((
        select pg_catalog.json_agg(pg_catalog.json_build_object('triggerName', g.trigger_name, 'actionTiming', g.action_timing,
            'eventManipulation', g.event_manipulation, 'actionOrientation', g.action_orientation,
            'actionCondition', g.action_condition, 'actionStatement', g.action_statement,
            'newTable', g.action_reference_new_table, 'oldTable', g.action_reference_old_table)
            order by g.trigger_name, g.event_manipulation)
        from information_schema.triggers g
        where g.event_object_schema = 'public' and g.event_object_table = $1), '[]'),
    'rows', '[]'::json)
