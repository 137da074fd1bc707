-- Indexes that cost writes and serve no read.
select 'info' as severity, 'Unused index' as title,
    format('Index %s on %s (%s) has not been used since statistics were last reset.', i.index_name, i.table_name, i.size) as description,
    i.index_name as affected_object,
    format('DROP INDEX CONCURRENTLY %s;', i.index_name) as recommendation
from (
    select format('%I.%I', s.schemaname, s.indexrelname) as index_name, format('%I.%I', s.schemaname, s.relname) as table_name,
        pg_size_pretty(pg_relation_size(s.indexrelid)) as size
    from pg_stat_user_indexes s
    join pg_index x on x.indexrelid = s.indexrelid
    where s.idx_scan = 0 and not x.indisunique and not x.indisprimary and s.schemaname = any ($1)
        and pg_relation_size(s.indexrelid) > 8192
        and not exists (select from pg_depend d
            where d.classid = 'pg_class'::regclass and d.objid = s.indexrelid and d.deptype = 'e')
) i
order by i.index_name
