select coalesce(json_agg(json_build_object(
         'oid', t.oid::bigint, 'relation', t.tgrelid::bigint, 'name', quote_ident(t.tgname),
         'enabled', t.tgenabled, 'definition', pg_get_triggerdef(t.oid))
         order by t.oid), '[]'::json)
from pg_trigger t
join pg_class c on c.oid = t.tgrelid
where not t.tgisinternal and t.tgparentid = 0 and c.relkind in ('r', 'v', 'p', 'f')
  and (c.relnamespace in ({user_schemas}) or c.oid in ({open_tables}))
