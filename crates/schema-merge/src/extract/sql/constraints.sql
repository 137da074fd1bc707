select coalesce(json_agg(json_build_object(
         'oid', k.oid::bigint, 'relation', k.conrelid::bigint, 'name', quote_ident(k.conname), 'type', k.contype,
         'index', case when k.contype in ('p', 'u', 'x') then k.conindid::bigint end,
         'definition', pg_get_constraintdef(k.oid),
         'deferrable', k.condeferrable, 'deferred', k.condeferred, 'validated', k.convalidated,
         'no_inherit', k.connoinherit and k.contype = 'c', 'parent', nullif(k.conparentid, 0)::bigint,
         'inherited_only', k.contype = 'c' and k.coninhcount > 0 and not k.conislocal)
         order by k.oid), '[]'::json)
from pg_constraint k
join pg_class c on c.oid = k.conrelid
where k.contype in ('p', 'u', 'f', 'c', 'x') and c.relkind in ('r', 'p', 'f') and c.relnamespace in ({user_schemas})
