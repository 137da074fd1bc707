select coalesce(json_agg(json_build_object(
         'oid', i.oid::bigint, 'relation', x.indrelid::bigint, 'schema', quote_ident(n.nspname), 'name', quote_ident(i.relname),
         'valid', x.indisvalid, 'unique', x.indisunique, 'definition', pg_get_indexdef(i.oid))
         order by i.oid), '[]'::json)
from pg_index x
join pg_class i on i.oid = x.indexrelid
join pg_namespace n on n.oid = i.relnamespace
join pg_class c on c.oid = x.indrelid
where c.relkind = 'r' and c.relnamespace in ({user_schemas})
  and not exists (select 1 from pg_constraint k where k.conindid = i.oid and k.contype in ('p', 'u', 'x'))
