with members as (
  select e.classid, e.objid from pg_depend e where e.deptype = 'e'
), items as (
  -- What belongs to an operator class, or loosely to its family alone.
  select d.refclassid::int as class, d.refobjid as oid,
         format('operator %s %s', x.amopstrategy, x.amopopr::regoperator)
           || coalesce((select format(' for order by %I.%I', fn.nspname, f.opfname)
                        from pg_opfamily f join pg_namespace fn on fn.oid = f.opfnamespace where f.oid = x.amopsortfamily), '') as item
  from pg_depend d join pg_amop x on x.oid = d.objid
  where d.classid = 2602 and d.refclassid in (2616, 2753) and d.refobjid >= 16384 and d.deptype in ('i', 'a')
  union all
  select d.refclassid::int, d.refobjid,
         format('function %s (%s, %s) %s', x.amprocnum, format_type(x.amproclefttype, null), format_type(x.amprocrighttype, null), x.amproc::oid::regprocedure)
  from pg_depend d join pg_amproc x on x.oid = d.objid
  where d.classid = 2603 and d.refclassid in (2616, 2753) and d.refobjid >= 16384 and d.deptype in ('i', 'a')
), found as (
  select 3456 as class, o.oid, 0 as sub, 'collation' as kind, quote_ident(n.nspname) || '.' || quote_ident(o.collname) as path,
         null::text as parent, o.collowner as owner,
         json_build_object(
           'provider', case o.collprovider when 'i' then 'icu' when 'b' then 'builtin' else 'libc' end, 'deterministic', o.collisdeterministic,
           'locale', coalesce(to_jsonb(o) ->> 'colllocale', to_jsonb(o) ->> 'colliculocale'),
           'lc_collate', o.collcollate, 'lc_ctype', o.collctype, 'rules', to_jsonb(o) ->> 'collicurules') as fields
  from pg_collation o join pg_namespace n on n.oid = o.collnamespace where o.collnamespace in ({user_schemas})
  union all
  select 1259, c.oid, 0, 'composite', quote_ident(n.nspname) || '.' || quote_ident(c.relname), null, c.relowner, '{}'::json
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'c' and c.relnamespace in ({user_schemas})
  union all
  select 1259, c.oid, a.attnum, 'attribute', quote_ident(n.nspname) || '.' || quote_ident(c.relname) || '.' || quote_ident(a.attname),
         'composite:' || quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relowner,
         json_build_object('type', format_type(a.atttypid, a.atttypmod), 'collation',
           case when a.attcollation <> t.typcollation then (select quote_ident(cn.nspname) || '.' || quote_ident(k.collname)
             from pg_collation k join pg_namespace cn on cn.oid = k.collnamespace where k.oid = a.attcollation) end)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  join pg_type t on t.oid = a.atttypid
  where c.relkind = 'c' and c.relnamespace in ({user_schemas})
  union all
  select 1247, t.oid, 0, 'range', quote_ident(n.nspname) || '.' || quote_ident(t.typname), null, t.typowner,
         json_build_object(
           'subtype', format_type(r.rngsubtype, null),
           'operator_class', case when not k.opcdefault then (select quote_ident(kn.nspname) || '.' || quote_ident(k.opcname)
             from pg_namespace kn where kn.oid = k.opcnamespace) end,
           'collation', case when r.rngcollation <> s.typcollation then (select quote_ident(cn.nspname) || '.' || quote_ident(l.collname)
             from pg_collation l join pg_namespace cn on cn.oid = l.collnamespace where l.oid = r.rngcollation) end,
           'difference', nullif(r.rngsubdiff, 0)::regproc::text,
           'multirange', (select quote_ident(mn.nspname) || '.' || quote_ident(m.typname)
             from pg_type m join pg_namespace mn on mn.oid = m.typnamespace where m.oid = r.rngmultitypid))
  from pg_range r join pg_type t on t.oid = r.rngtypid join pg_namespace n on n.oid = t.typnamespace
  join pg_type s on s.oid = r.rngsubtype join pg_opclass k on k.oid = r.rngsubopc
  where r.rngcanonical = 0 and t.typnamespace in ({user_schemas})
  union all
  select 2606, k.oid, 0, 'domain_constraint', quote_ident(n.nspname) || '.' || quote_ident(t.typname) || '.' || quote_ident(k.conname),
         'domain:' || quote_ident(n.nspname) || '.' || quote_ident(t.typname), t.typowner,
         json_build_object('definition', pg_get_constraintdef(k.oid))
  from pg_constraint k join pg_type t on t.oid = k.contypid join pg_namespace n on n.oid = t.typnamespace
  where k.contype = 'c' and t.typnamespace in ({user_schemas})
  union all
  select 1255, p.oid, 0, 'aggregate', quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '('
           || coalesce((select string_agg(format_type(x.type, null), ', ' order by x.position)
                        from unnest(p.proargtypes) with ordinality x(type, position)), '') || ')', null, p.proowner,
         json_build_object(
           'class', case a.aggkind when 'o' then 'ordered' when 'h' then 'hypothetical' else 'ordinary' end,
           'arguments', pg_get_function_arguments(p.oid), 'parallel', p.proparallel,
           'transition', nullif(a.aggtransfn, 0)::regproc::text, 'state', format_type(a.aggtranstype, null), 'state_size', a.aggtransspace,
           'final', nullif(a.aggfinalfn, 0)::regproc::text, 'final_extra', a.aggfinalextra, 'final_modify', a.aggfinalmodify,
           'combine', nullif(a.aggcombinefn, 0)::regproc::text, 'serial', nullif(a.aggserialfn, 0)::regproc::text,
           'deserial', nullif(a.aggdeserialfn, 0)::regproc::text, 'initial', a.agginitval,
           'moving_transition', nullif(a.aggmtransfn, 0)::regproc::text, 'moving_inverse', nullif(a.aggminvtransfn, 0)::regproc::text,
           'moving_state', case when a.aggmtranstype <> 0 then format_type(a.aggmtranstype, null) end, 'moving_state_size', a.aggmtransspace,
           'moving_final', nullif(a.aggmfinalfn, 0)::regproc::text, 'moving_final_extra', a.aggmfinalextra,
           'moving_final_modify', a.aggmfinalmodify, 'moving_initial', a.aggminitval,
           'sort_operator', (select 'operator(' || quote_ident(sn.nspname) || '.' || s.oprname || ')'
             from pg_operator s join pg_namespace sn on sn.oid = s.oprnamespace where s.oid = a.aggsortop))
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_aggregate a on a.aggfnoid = p.oid
  where p.prokind = 'a' and p.pronamespace in ({user_schemas})
  union all
  select 2617, o.oid, 0, 'operator', quote_ident(n.nspname) || '.' || o.oprname || '('
           || case when o.oprleft = 0 then 'none' else format_type(o.oprleft, null) end || ', '
           || case when o.oprright = 0 then 'none' else format_type(o.oprright, null) end || ')', null, o.oprowner,
         json_build_object(
           'function', o.oprcode::oid::regproc::text,
           'commutator', (select 'operator(' || quote_ident(xn.nspname) || '.' || x.oprname || ')'
             from pg_operator x join pg_namespace xn on xn.oid = x.oprnamespace where x.oid = o.oprcom),
           'negator', (select 'operator(' || quote_ident(xn.nspname) || '.' || x.oprname || ')'
             from pg_operator x join pg_namespace xn on xn.oid = x.oprnamespace where x.oid = o.oprnegate),
           'restrict', nullif(o.oprrest::oid, 0)::regproc::text, 'join', nullif(o.oprjoin::oid, 0)::regproc::text,
           'hashes', o.oprcanhash, 'merges', o.oprcanmerge)
  from pg_operator o join pg_namespace n on n.oid = o.oprnamespace where o.oprcode <> 0 and o.oprnamespace in ({user_schemas})
  union all
  select 2753, o.oid, 0, 'operator_family', quote_ident(n.nspname) || '.' || quote_ident(o.opfname) || ' using ' || quote_ident(a.amname), null, o.opfowner,
         json_build_object('items', (select json_agg(i.item order by i.item) from items i where i.class = 2753 and i.oid = o.oid))
  from pg_opfamily o join pg_namespace n on n.oid = o.opfnamespace join pg_am a on a.oid = o.opfmethod
  where o.opfnamespace in ({user_schemas})
  union all
  select 2616, o.oid, 0, 'operator_class', quote_ident(n.nspname) || '.' || quote_ident(o.opcname) || ' using ' || quote_ident(a.amname), null, o.opcowner,
         json_build_object('type', format_type(o.opcintype, null), 'default', o.opcdefault,
           'storage', case when o.opckeytype <> 0 then format_type(o.opckeytype, null) end,
           'family', (select quote_ident(fn.nspname) || '.' || quote_ident(f.opfname)
             from pg_opfamily f join pg_namespace fn on fn.oid = f.opfnamespace where f.oid = o.opcfamily),
           'items', (select json_agg(i.item order by i.item) from items i where i.class = 2616 and i.oid = o.oid))
  from pg_opclass o join pg_namespace n on n.oid = o.opcnamespace join pg_am a on a.oid = o.opcmethod
  where o.opcnamespace in ({user_schemas})
  union all
  select 2605, o.oid, 0, 'cast', '(' || format_type(o.castsource, null) || ' as ' || format_type(o.casttarget, null) || ')', null,
         case when o.castsource >= 16384 then s.typowner else t.typowner end,
         json_build_object('function', case when o.castfunc <> 0 then o.castfunc::regprocedure::text end, 'method', o.castmethod, 'context', o.castcontext)
  from pg_cast o join pg_type s on s.oid = o.castsource join pg_type t on t.oid = o.casttarget where o.oid >= 16384
    and not exists (select 1 from pg_depend i where i.classid = 2605 and i.objid = o.oid and i.deptype = 'i')
  union all
  select 2607, o.oid, 0, 'conversion', quote_ident(n.nspname) || '.' || quote_ident(o.conname), null, o.conowner,
         json_build_object('from', pg_encoding_to_char(o.conforencoding), 'to', pg_encoding_to_char(o.contoencoding),
           'function', o.conproc::oid::regproc::text, 'default', o.condefault)
  from pg_conversion o join pg_namespace n on n.oid = o.connamespace where o.connamespace in ({user_schemas})
  union all
  select 3600, o.oid, 0, 'text_search_dictionary', quote_ident(n.nspname) || '.' || quote_ident(o.dictname), null, o.dictowner,
         json_build_object('template', (select quote_ident(tn.nspname) || '.' || quote_ident(t.tmplname)
             from pg_ts_template t join pg_namespace tn on tn.oid = t.tmplnamespace where t.oid = o.dicttemplate),
           'options', o.dictinitoption)
  from pg_ts_dict o join pg_namespace n on n.oid = o.dictnamespace where o.dictnamespace in ({user_schemas})
  union all
  select 3602, o.oid, 0, 'text_search_configuration', quote_ident(n.nspname) || '.' || quote_ident(o.cfgname), null, o.cfgowner,
         json_build_object('parser', (select quote_ident(pn.nspname) || '.' || quote_ident(p.prsname)
             from pg_ts_parser p join pg_namespace pn on pn.oid = p.prsnamespace where p.oid = o.cfgparser),
           'mappings', (select coalesce(json_object_agg(m.token, m.dictionaries order by m.token), '{}'::json) from (
             select quote_ident(k.alias) as token,
                    json_agg(quote_ident(dn.nspname) || '.' || quote_ident(d.dictname) order by w.mapseqno) as dictionaries
             from pg_ts_config_map w join ts_token_type(o.cfgparser) k on k.tokid = w.maptokentype
             join pg_ts_dict d on d.oid = w.mapdict join pg_namespace dn on dn.oid = d.dictnamespace
             where w.mapcfg = o.oid group by 1) m))
  from pg_ts_config o join pg_namespace n on n.oid = o.cfgnamespace where o.cfgnamespace in ({user_schemas})
  union all
  select 3466, o.oid, 0, 'event_trigger', quote_ident(o.evtname), null, o.evtowner,
         json_build_object('event', o.evtevent, 'tags', o.evttags, 'function', o.evtfoid::regproc::text, 'enabled', o.evtenabled)
  from pg_event_trigger o where o.oid >= 16384
)
select coalesce(json_agg(json_build_object(
         'class', f.class, 'oid', f.oid::bigint, 'sub', f.sub, 'kind', f.kind, 'path', f.path, 'parent', f.parent,
         'owner', quote_ident(pg_get_userbyid(f.owner)), 'fields', f.fields) order by f.class, f.oid, f.sub), '[]'::json)
from found f
where not exists (select 1 from members m where m.classid = f.class and m.objid = f.oid)
