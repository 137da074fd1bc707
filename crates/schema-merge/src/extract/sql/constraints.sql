select coalesce(json_agg(json_build_object(
         'oid', k.oid::bigint, 'relation', k.conrelid::bigint, 'name', quote_ident(k.conname), 'type', k.contype,
         'index', case when k.contype in ('p', 'u', 'x') then k.conindid::bigint end,
         'definition', pg_get_constraintdef(k.oid),
         'columns', (select json_agg(k.conkey[s.i] order by s.i) from generate_subscripts(k.conkey, 1) s(i)))
         order by k.oid), '[]'::json)
from pg_constraint k
join pg_class c on c.oid = k.conrelid
where k.contype in ('p', 'u', 'f', 'c', 'x') and c.relkind = 'r' and c.relnamespace in ({user_schemas})
