with found as (
  select 'relation' as kind, c.oid, 1259 as class,
         case when c.reltablespace <> 0 then 'relation_in_tablespace' else 'relation_of_access_method' end as word,
         quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name,
         concat_ws('|', c.relkind, c.reltablespace, c.reloftype, am.amname, c.reloptions::text, c.relacl::text, c.relowner, c.relrowsecurity, c.relforcerowsecurity,
           case when c.relkind = 'm' then pg_get_viewdef(c.oid) end,
           case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end,
           case when c.relispartition then pg_get_expr(c.relpartbound, c.oid) end,
           (select string_agg(i.inhparent::text, ',' order by i.inhseqno) from pg_inherits i where i.inhrelid = c.oid),
           (select string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
                     pg_get_expr(d.adbin, d.adrelid), a.attacl::text), ',' order by a.attname)
            from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
           (select string_agg(k.conname || ' ' || pg_get_constraintdef(k.oid), ',' order by k.conname) from pg_constraint k where k.conrelid = c.oid),
           (select string_agg(pg_get_indexdef(x.indexrelid), ',' order by x.indexrelid) from pg_index x where x.indrelid = c.oid),
           (select string_agg(pg_get_triggerdef(t.oid) || t.tgenabled::text, ',' order by t.tgname) from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal),
           (select string_agg(concat_ws(' ', p.polname, p.polcmd, p.polpermissive, p.polroles::text, pg_get_expr(p.polqual, p.polrelid),
                     pg_get_expr(p.polwithcheck, p.polrelid)), ',' order by p.polname) from pg_policy p where p.polrelid = c.oid)) as definition
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  left join pg_am am on am.oid = c.relam
  where c.relnamespace in ({user_schemas})
    and c.relkind in ('r', 'm', 'p') and (c.reltablespace <> 0 or am.amname <> 'heap')
  union all
  select 'index', i.oid, 1259, 'invalid_index', quote_ident(n.nspname) || '.' || quote_ident(i.relname), pg_get_indexdef(i.oid)
  from pg_index x join pg_class i on i.oid = x.indexrelid join pg_namespace n on n.oid = i.relnamespace
  join pg_class c on c.oid = x.indrelid
  where not x.indisvalid and c.relkind in ('r', 'm') and i.relnamespace in ({user_schemas})
  union all
  select 'type', t.oid, 1247, case t.typtype when 'r' then 'range_type' when 'b' then 'base_type' else 'type' end,
         quote_ident(n.nspname) || '.' || quote_ident(t.typname), concat_ws('|', to_jsonb(t)::text, (select to_jsonb(r)::text from pg_range r where r.rngtypid = t.oid))
  from pg_type t join pg_namespace n on n.oid = t.typnamespace
  where (t.typtype in ('b', 'p') or exists (select 1 from pg_range r where r.rngtypid = t.oid and r.rngcanonical <> 0))
    and t.typelem = 0 and t.typnamespace in ({user_schemas})
  union all
  select 'function', p.oid, 1255, 'native_function',
         quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '(' || pg_get_function_identity_arguments(p.oid) || ')',
         to_jsonb(p)::text
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
  where p.pronamespace in ({user_schemas})
    and p.prokind <> 'a' and l.lanname in ('c', 'internal')
    and not exists (select 1 from pg_depend i where i.classid = 1255 and i.objid = p.oid and i.refclassid = 1247 and i.deptype = 'i')
  union all
  select 'x', o.oid, 2617, 'shell_operator', quote_ident(n.nspname) || '.' || o.oprname || '(' || o.oprleft::regtype || ',' || o.oprright::regtype || ')', to_jsonb(o)::text
  from pg_operator o join pg_namespace n on n.oid = o.oprnamespace where o.oprcode = 0 and o.oprnamespace in ({user_schemas})
  union all
  select 'x', o.oid, 3601, 'text_search_parser', quote_ident(n.nspname) || '.' || quote_ident(o.prsname), to_jsonb(o)::text
  from pg_ts_parser o join pg_namespace n on n.oid = o.prsnamespace where o.prsnamespace in ({user_schemas})
  union all
  select 'x', o.oid, 3764, 'text_search_template', quote_ident(n.nspname) || '.' || quote_ident(o.tmplname), to_jsonb(o)::text
  from pg_ts_template o join pg_namespace n on n.oid = o.tmplnamespace where o.tmplnamespace in ({user_schemas})
  union all
  select 'x', o.oid, 2612, 'language', quote_ident(o.lanname), to_jsonb(o)::text from pg_language o where o.oid >= 16384
  union all
  select 'x', o.oid, 3576, 'transform', format_type(o.trftype, null) || ' ' || o.trflang, to_jsonb(o)::text from pg_transform o where o.oid >= 16384
  union all
  select 'x', o.oid, 2601, 'access_method', quote_ident(o.amname), to_jsonb(o)::text from pg_am o where o.oid >= 16384
  union all
  select 'x', i.inhrelid, 2611, 'partition_being_detached', quote_ident(n.nspname) || '.' || quote_ident(c.relname), i.inhparent::text
  from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_namespace n on n.oid = c.relnamespace
  where i.inhdetachpending and c.relnamespace in ({user_schemas})
  union all
  select 'x', o.setrole, 2964, 'database_setting', coalesce(quote_ident(pg_get_userbyid(nullif(o.setrole, 0))), 'all roles'),
         (select string_agg(v.entry, ',' order by v.entry) from unnest(o.setconfig) v(entry))
  from pg_db_role_setting o where o.setdatabase = (select d.oid from pg_database d where d.datname = current_database())
  union all
  select 'x', o.objoid, o.classoid::int, 'security_label', concat_ws('/', o.classoid::regclass, o.objoid, o.objsubid, o.provider), o.label from pg_seclabel o
)
select coalesce(json_agg(json_build_object(
         'class', f.class, 'oid', f.oid::bigint, 'kind', f.word, 'name', f.name, 'hash', md5(f.definition)) order by f.word, f.name), '[]'::json)
from found f
where not exists (select 1 from pg_depend e where e.classid = f.class and e.objid = f.oid and e.deptype = 'e')
