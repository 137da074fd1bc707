-- An array in the order of rows::Relation: building an object costs Postgres twice as much.
select coalesce(json_agg(json_build_array(
         c.oid::bigint, quote_ident(n.nspname), quote_ident(c.relname),
         quote_ident(pg_get_userbyid(c.relowner)), c.relkind,
         c.relnamespace not in ({user_schemas}),
         c.relkind in ('v', 'f', 'p') and c.reltablespace = 0
                  or c.relkind in ('r', 'm') and am.amname = 'heap' and c.reltablespace = 0,
         case when c.reloftype <> 0 then format_type(c.reloftype, null) end,
         c.relpersistence = 'u',
         case when c.reloptions is not null or t.reloptions is not null then (
                     select json_agg(o.option order by o.option)
                     from (select unnest(c.reloptions) as option union all select 'toast.' || unnest(t.reloptions)) o) end,
         c.relrowsecurity, c.relforcerowsecurity,
         c.relreplident,
         case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end,
         quote_ident(s.srvname), f.ftoptions,
         case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end,
         case when c.relkind in ('v', 'm') then (
            select json_agg(json_build_object('number', a.attnum, 'name', quote_ident(a.attname),
                     'type', format_type(a.atttypid, a.atttypmod),
                     'default', pg_get_expr(d.adbin, d.adrelid), 'default_oid', d.oid::bigint,
                     'storage', case when c.relkind = 'm' and a.attstorage <> y.typstorage then a.attstorage end,
                     'type_storage', y.typstorage,
                     'compression', nullif(a.attcompression, ''),
                     'statistics', case when a.attstattarget >= 0 then a.attstattarget end,
                     'options', case when a.attoptions is not null then (select json_agg(o.option order by o.option)
                              from unnest(a.attoptions) as o(option) where o.option not like 'pg\_attver=%') end)
                     order by a.attnum)
            from pg_attribute a
            join pg_type y on y.oid = a.atttypid
            left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) end)
         order by c.oid), '[]'::json)
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_class t on t.oid = c.reltoastrelid
left join pg_am am on am.oid = c.relam
left join pg_foreign_table f on f.ftrelid = c.oid
left join pg_foreign_server s on s.oid = f.ftserver
where (c.relnamespace in ({user_schemas}) and c.relkind in ('r', 'v', 'm', 'p', 'f'))
   or c.oid in ({open_tables})
