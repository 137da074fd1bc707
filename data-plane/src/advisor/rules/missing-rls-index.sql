-- Columns that a policy filters by, without an index.
select distinct 'warning' as severity, 'RLS policy column missing index' as title,
    format('A policy of %s depends on column %s, which is in no index: every statement checks every row.', c.table_name, c.column_name) as description,
    format('%s.%s', c.table_name, c.column_name) as affected_object,
    format('CREATE INDEX CONCURRENTLY %I ON %s (%s);',
        case when octet_length(c.index_name) > 63 then 'idx_' || md5(c.index_name) else c.index_name end,
        c.table_name, c.column_name) as recommendation
from (
    select format('%I.%I', n.nspname, t.relname) as table_name, quote_ident(a.attname) as column_name,
        format('idx_%s_%s', t.relname, a.attname) as index_name
    from pg_policy p
    join pg_class t on t.oid = p.polrelid
    join pg_namespace n on n.oid = t.relnamespace
    join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = p.oid
        and d.refclassid = 'pg_class'::regclass and d.refobjid = t.oid and d.refobjsubid > 0
    join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid
    where t.relrowsecurity and n.nspname = any ($1)
        and not exists (select from pg_index i where i.indrelid = t.oid and i.indisvalid and a.attnum = any (i.indkey::int2[]))
) c
order by affected_object
