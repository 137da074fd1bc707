select coalesce(json_agg(json_build_object(
         'oid', c.oid::bigint, 'schema', quote_ident(n.nspname), 'name', quote_ident(c.relname),
         'owner', quote_ident(pg_get_userbyid(c.relowner)),
         'type', format_type(q.seqtypid, null), 'start', q.seqstart, 'increment', q.seqincrement,
         'minimum', q.seqmin, 'maximum', q.seqmax, 'cache', q.seqcache, 'cycle', q.seqcycle, 'unlogged', c.relpersistence = 'u',
         'owned_by', (select json_build_array(d.refobjid::bigint, d.refobjsubid) from pg_depend d
                      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.refclassid = 'pg_class'::regclass and d.deptype = 'a'))
         order by c.oid), '[]'::json)
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_sequence q on q.seqrelid = c.oid
where c.relkind = 'S' and c.relnamespace in ({user_schemas})
  and not exists (select 1 from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'i')
