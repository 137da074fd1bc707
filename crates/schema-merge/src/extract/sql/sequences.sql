-- An array in the order of rows::Sequence: building an object costs Postgres twice as much.
select coalesce(json_agg(json_build_array(
         c.oid::bigint, quote_ident(n.nspname), quote_ident(c.relname),
         quote_ident(pg_get_userbyid(c.relowner)),
         format_type(q.seqtypid, null), q.seqstart, q.seqincrement,
         q.seqmin, q.seqmax, q.seqcache, q.seqcycle, c.relpersistence = 'u',
         (select json_build_array(d.refobjid::bigint, d.refobjsubid) from pg_depend d
                      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.refclassid = 'pg_class'::regclass and d.deptype = 'a'))
         order by c.oid), '[]'::json)
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_sequence q on q.seqrelid = c.oid
where c.relkind = 'S' and c.relnamespace in ({user_schemas})
  and not exists (select 1 from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'i')
