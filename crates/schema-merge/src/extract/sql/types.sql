select coalesce(json_agg(json_build_object(
         'oid', t.oid::bigint, 'schema', quote_ident(n.nspname), 'name', quote_ident(t.typname),
         'owner', quote_ident(pg_get_userbyid(t.typowner)), 'type', t.typtype,
         'labels', (select json_agg(e.enumlabel order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid),
         'label_oids', (select json_agg(e.oid::bigint order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid),
         'base', case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod) end,
         'collation', case when t.typtype = 'd' and t.typcollation <> b.typcollation
                           then (select quote_ident(cn.nspname) || '.' || quote_ident(c.collname)
                                 from pg_collation c join pg_namespace cn on cn.oid = c.collnamespace where c.oid = t.typcollation) end,
         'default', case when t.typtype = 'd' then t.typdefault end,
         'not_null', t.typnotnull)
         order by t.oid), '[]'::json)
from pg_type t
join pg_namespace n on n.oid = t.typnamespace
left join pg_type b on b.oid = t.typbasetype
where t.typtype in ('e', 'd') and t.typnamespace in ({user_schemas})
