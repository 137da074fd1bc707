with found as (
  select 'relation' as kind, c.oid, 1259 as class,
         case c.relkind when 'p' then 'partitioned_table' when 'f' then 'foreign_table' when 'm' then 'materialized_view' when 'c' then 'composite_type'
              else case when c.relispartition then 'partition' when c.reloftype <> 0 then 'typed_table' else 'inheriting_table' end end as word,
         quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name,
         concat_ws('|', c.relkind, c.reloptions::text, c.relacl::text, c.relowner, c.relrowsecurity, c.relforcerowsecurity,
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
    and (c.relkind in ('p', 'f', 'm', 'c')
         or (c.relkind = 'r' and (c.relispartition or c.reloftype <> 0 or am.amname <> 'heap' or c.reltablespace <> 0
             or exists (select 1 from pg_inherits i where i.inhrelid = c.oid or i.inhparent = c.oid))))
  union all
  select 'index', i.oid, 1259, 'invalid_index', quote_ident(n.nspname) || '.' || quote_ident(i.relname), pg_get_indexdef(i.oid)
  from pg_index x join pg_class i on i.oid = x.indexrelid join pg_namespace n on n.oid = i.relnamespace
  join pg_class c on c.oid = x.indrelid
  where not x.indisvalid and c.relkind = 'r' and i.relnamespace in ({user_schemas})
  union all
  select 'type', t.oid, 1247, case t.typtype when 'r' then 'range_type' when 'b' then 'base_type' else 'type' end,
         quote_ident(n.nspname) || '.' || quote_ident(t.typname), concat_ws('|', to_jsonb(t)::text, (select to_jsonb(r)::text from pg_range r where r.rngtypid = t.oid))
  from pg_type t join pg_namespace n on n.oid = t.typnamespace
  where t.typtype in ('r', 'b', 'p') and t.typelem = 0 and t.typnamespace in ({user_schemas})
  union all
  select 'function', p.oid, 1255, case when p.prokind = 'a' then 'aggregate' else 'native_function' end,
         quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '(' || pg_get_function_identity_arguments(p.oid) || ')',
         concat_ws('|', to_jsonb(p)::text, (select to_jsonb(a)::text from pg_aggregate a where a.aggfnoid = p.oid))
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
  where p.pronamespace in ({user_schemas})
    and (p.prokind = 'a' or l.lanname in ('c', 'internal') or p.prosupport <> 0 or p.protrftypes is not null)
  union all
  select 'rule', r.oid, 2618, 'rule', quote_ident(n.nspname) || '.' || quote_ident(c.relname) || '.' || quote_ident(r.rulename),
         pg_get_ruledef(r.oid) || r.ev_enabled::text
  from pg_rewrite r join pg_class c on c.oid = r.ev_class join pg_namespace n on n.oid = c.relnamespace
  where r.rulename <> '_RETURN' and c.relnamespace in ({user_schemas})
  union all
  select 'x', o.oid, 3456, 'collation', quote_ident(n.nspname) || '.' || quote_ident(o.collname), (to_jsonb(o) - 'collversion')::text
  from pg_collation o join pg_namespace n on n.oid = o.collnamespace where o.collnamespace in ({user_schemas})
  union all
  select 'x', o.oid, 2617, 'operator', quote_ident(n.nspname) || '.' || o.oprname || '(' || o.oprleft::regtype || ',' || o.oprright::regtype || ')', to_jsonb(o)::text
  from pg_operator o join pg_namespace n on n.oid = o.oprnamespace where o.oprnamespace in ({user_schemas})
  union all
  select 'x', o.oid, 2616, 'operator_class', quote_ident(n.nspname) || '.' || quote_ident(o.opcname), to_jsonb(o)::text
  from pg_opclass o join pg_namespace n on n.oid = o.opcnamespace where o.opcnamespace in ({user_schemas})
  union all
  select 'x', o.oid, 2753, 'operator_family', quote_ident(n.nspname) || '.' || quote_ident(o.opfname), to_jsonb(o)::text
  from pg_opfamily o join pg_namespace n on n.oid = o.opfnamespace where o.opfnamespace in ({user_schemas})
  union all
  select 'x', o.oid, 2605, 'cast', format_type(o.castsource, null) || ' as ' || format_type(o.casttarget, null), to_jsonb(o)::text
  from pg_cast o where o.oid >= 16384
  union all
  select 'x', o.oid, 2607, 'conversion', quote_ident(n.nspname) || '.' || quote_ident(o.conname), to_jsonb(o)::text
  from pg_conversion o join pg_namespace n on n.oid = o.connamespace where o.connamespace in ({user_schemas})
  union all
  select 'x', o.oid, 3602, 'text_search_configuration', quote_ident(n.nspname) || '.' || quote_ident(o.cfgname),
         to_jsonb(o)::text || coalesce((select jsonb_agg(to_jsonb(m) order by m.maptokentype, m.mapseqno)::text from pg_ts_config_map m where m.mapcfg = o.oid), '')
  from pg_ts_config o join pg_namespace n on n.oid = o.cfgnamespace where o.cfgnamespace in ({user_schemas})
  union all
  select 'x', o.oid, 3600, 'text_search_dictionary', quote_ident(n.nspname) || '.' || quote_ident(o.dictname), to_jsonb(o)::text
  from pg_ts_dict o join pg_namespace n on n.oid = o.dictnamespace where o.dictnamespace in ({user_schemas})
  union all
  select 'x', o.oid, 3601, 'text_search_parser', quote_ident(n.nspname) || '.' || quote_ident(o.prsname), to_jsonb(o)::text
  from pg_ts_parser o join pg_namespace n on n.oid = o.prsnamespace where o.prsnamespace in ({user_schemas})
  union all
  select 'x', o.oid, 3764, 'text_search_template', quote_ident(n.nspname) || '.' || quote_ident(o.tmplname), to_jsonb(o)::text
  from pg_ts_template o join pg_namespace n on n.oid = o.tmplnamespace where o.tmplnamespace in ({user_schemas})
  union all
  select 'x', o.oid, 3381, 'statistics', quote_ident(n.nspname) || '.' || quote_ident(o.stxname), pg_get_statisticsobjdef(o.oid) || coalesce(o.stxstattarget, -1)::text
  from pg_statistic_ext o join pg_namespace n on n.oid = o.stxnamespace where o.stxnamespace in ({user_schemas})
  union all
  select 'x', o.oid, 3466, 'event_trigger', quote_ident(o.evtname), (to_jsonb(o) - 'oid')::text from pg_event_trigger o where o.oid >= 16384
  union all
  select 'x', o.oid, 6104, 'publication', quote_ident(o.pubname), to_jsonb(o)::text
         || coalesce((select jsonb_agg(to_jsonb(r) - 'oid' order by r.prrelid)::text from pg_publication_rel r where r.prpubid = o.oid), '')
         || coalesce((select jsonb_agg(to_jsonb(r) - 'oid' order by r.pnnspid)::text from pg_publication_namespace r where r.pnpubid = o.oid), '')
  from pg_publication o where o.oid >= 16384
  union all
  select 'x', o.oid, 2328, 'foreign_data_wrapper', quote_ident(o.fdwname), (to_jsonb(o) - 'fdwoptions')::text from pg_foreign_data_wrapper o where o.oid >= 16384
  union all
  select 'x', o.oid, 1417, 'foreign_server', quote_ident(o.srvname), to_jsonb(o)::text from pg_foreign_server o where o.oid >= 16384
  union all
  select 'x', o.oid, 2612, 'language', quote_ident(o.lanname), to_jsonb(o)::text from pg_language o where o.oid >= 16384
  union all
  select 'x', o.oid, 3576, 'transform', format_type(o.trftype, null) || ' ' || o.trflang, to_jsonb(o)::text from pg_transform o where o.oid >= 16384
  union all
  select 'x', o.oid, 2601, 'access_method', quote_ident(o.amname), to_jsonb(o)::text from pg_am o where o.oid >= 16384
  union all
  select 'x', o.objoid, o.classoid::int, 'security_label', concat_ws('/', o.classoid::regclass, o.objoid, o.objsubid, o.provider), o.label from pg_seclabel o
)
select coalesce(json_agg(json_build_object(
         'class', f.class, 'oid', f.oid::bigint, 'kind', f.word, 'name', f.name, 'hash', md5(f.definition)) order by f.word, f.name), '[]'::json)
from found f
where not exists (select 1 from pg_depend e where e.classid = f.class and e.objid = f.oid and e.deptype = 'e')
