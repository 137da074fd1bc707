select coalesce(json_agg(json_build_object(
         'oid', i.oid::bigint, 'relation', x.indrelid::bigint, 'schema', quote_ident(n.nspname), 'name', quote_ident(i.relname),
         'valid', x.indisvalid, 'unique', x.indisunique, 'partitioned', i.relkind = 'I', 'of', h.inhparent::bigint,
         'columns', case when i.relkind = 'I' then (select json_agg(a.attname order by a.attnum) from pg_attribute a
                    where a.attrelid = i.oid and a.attnum > 0) end,
         'replica', x.indisreplident, 'clustered', x.indisclustered,
         'constraint', k.oid::bigint, 'options', case when k.oid is not null then i.reloptions end,
         'definition', case when k.oid is null then pg_get_indexdef(i.oid) end,
         'statistics', case when x.indexprs is not null then (
                        select json_object_agg(a.attnum, a.attstattarget order by a.attnum) from pg_attribute a
                        where a.attrelid = i.oid and a.attnum > 0 and a.attstattarget >= 0) end)
         order by i.oid), '[]'::json)
from pg_index x
join pg_class i on i.oid = x.indexrelid
join pg_namespace n on n.oid = i.relnamespace
join pg_class c on c.oid = x.indrelid
left join pg_inherits h on h.inhrelid = i.oid
left join pg_constraint k on k.conindid = i.oid and k.conrelid = x.indrelid and k.contype in ('p', 'u', 'x')
where c.relkind in ('r', 'm', 'p') and c.relnamespace in ({user_schemas})
