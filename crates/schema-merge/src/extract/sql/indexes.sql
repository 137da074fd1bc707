-- An array in the order of rows::Index: building an object costs Postgres twice as much.
select coalesce(json_agg(json_build_array(
         i.oid::bigint, x.indrelid::bigint, quote_ident(n.nspname), quote_ident(i.relname),
         x.indisvalid, x.indisunique, i.relkind = 'I', h.inhparent::bigint,
         case when i.relkind = 'I' then (select json_agg(a.attname order by a.attnum) from pg_attribute a
                    where a.attrelid = i.oid and a.attnum > 0) end,
         x.indisreplident, x.indisclustered,
         k.oid::bigint, case when k.oid is not null then i.reloptions end,
         case when k.oid is null then pg_get_indexdef(i.oid) end,
         case when x.indexprs is not null then (
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
