select coalesce(json_agg(json_build_object(
         'oid', c.oid::bigint, 'schema', quote_ident(n.nspname), 'name', quote_ident(c.relname),
         'owner', quote_ident(pg_get_userbyid(c.relowner)), 'relkind', c.relkind,
         'open', n.oid not in ({user_schemas}),
         'plain', c.relkind = 'v' or (c.relkind = 'r' and not c.relispartition and c.reloftype = 0 and am.amname = 'heap'
                  and c.reltablespace = 0
                  and not exists (select 1 from pg_inherits i where i.inhrelid = c.oid or i.inhparent = c.oid)),
         'unlogged', c.relpersistence = 'u',
         'options', (select json_agg(o.option order by o.option)
                     from (select unnest(c.reloptions) as option union all select 'toast.' || unnest(t.reloptions)) o),
         'row_security', c.relrowsecurity, 'force_row_security', c.relforcerowsecurity,
         'replica_identity', c.relreplident,
         'replica_index', case when c.relreplident = 'i' then (select x.indexrelid::bigint from pg_index x where x.indrelid = c.oid and x.indisreplident) end,
         'clustered_on', (select x.indexrelid::bigint from pg_index x where x.indrelid = c.oid and x.indisclustered),
         'view', case when c.relkind = 'v' then pg_get_viewdef(c.oid) end,
         'view_columns', case when c.relkind = 'v' then (
            select json_agg(json_build_object('number', a.attnum, 'name', quote_ident(a.attname),
                     'type', format_type(a.atttypid, a.atttypmod),
                     'default', (select pg_get_expr(d.adbin, d.adrelid) from pg_attrdef d where d.adrelid = a.attrelid and d.adnum = a.attnum),
                     'default_oid', (select d.oid::bigint from pg_attrdef d where d.adrelid = a.attrelid and d.adnum = a.attnum))
                     order by a.attnum)
            from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) end)
         order by c.oid), '[]'::json)
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_class t on t.oid = c.reltoastrelid
left join pg_am am on am.oid = c.relam
where (c.relnamespace in ({user_schemas}) and c.relkind in ('r', 'v'))
   or c.oid in ({open_tables})
