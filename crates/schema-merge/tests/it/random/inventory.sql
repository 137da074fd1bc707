with spaces as (
  select oid, quote_ident(nspname) as name from pg_namespace
  where nspname !~ '^pg_' and nspname not in ('information_schema', 'auth', 'storage', 'system', 'payments', 'email', 'functions', 'realtime')
)
select json_build_object(
  'schemas', (select coalesce(json_agg(name order by name), '[]') from spaces),
  'relations', (
    select coalesce(json_agg(json_build_object(
      'kind', c.relkind, 'schema', s.name, 'name', s.name || '.' || quote_ident(c.relname), 'partition', c.relispartition,
      'strategy', (select p.partstrat from pg_partitioned_table p where p.partrelid = c.oid),
      'columns', (select coalesce(json_agg(json_build_object('name', quote_ident(a.attname), 'type', format_type(a.atttypid, a.atttypmod),
          'category', t.typcategory, 'identity', a.attidentity <> '', 'generated', a.attgenerated <> '') order by a.attnum), '[]')
        from pg_attribute a join pg_type t on t.oid = a.atttypid where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
      'constraints', (select coalesce(json_agg(json_build_object('name', quote_ident(k.conname), 'kind', k.contype, 'columns',
          (select coalesce(json_agg(quote_ident(a.attname) order by key.place), '[]')
           from unnest(k.conkey) with ordinality as key (attnum, place) join pg_attribute a on a.attrelid = k.conrelid and a.attnum = key.attnum))
          order by k.conname), '[]')
        from pg_constraint k where k.conrelid = c.oid and k.contype in ('p', 'u', 'f', 'c', 'x')),
      'triggers', (select coalesce(json_agg(quote_ident(g.tgname) order by g.tgname), '[]') from pg_trigger g where g.tgrelid = c.oid and not g.tgisinternal),
      'policies', (select coalesce(json_agg(quote_ident(p.polname) order by p.polname), '[]') from pg_policy p where p.polrelid = c.oid),
      'rules', (select coalesce(json_agg(quote_ident(r.rulename) order by r.rulename), '[]') from pg_rewrite r where r.ev_class = c.oid and r.rulename <> '_RETURN')
    ) order by s.name, c.relname), '[]')
    from pg_class c join spaces s on s.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'S', 'i', 'I', 'f')
      and not exists (select from pg_depend d where d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype = 'i' and c.relkind = 'S')
  ),
  'types', (
    select coalesce(json_agg(json_build_object('kind', t.typtype, 'name', s.name || '.' || quote_ident(t.typname),
      'labels', (select coalesce(json_agg(quote_literal(e.enumlabel) order by e.enumsortorder), '[]') from pg_enum e where e.enumtypid = t.oid),
      'attributes', (select coalesce(json_agg(quote_ident(a.attname) order by a.attnum), '[]') from pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped)
    ) order by s.name, t.typname), '[]')
    from pg_type t join spaces s on s.oid = t.typnamespace left join pg_class c on c.oid = t.typrelid
    where t.typtype in ('e', 'd', 'r') or (t.typtype = 'c' and c.relkind = 'c')
  ),
  'routines', (
    select coalesce(json_agg(json_build_object('kind', p.prokind, 'signature', s.name || '.' || quote_ident(p.proname) || '(' || pg_get_function_identity_arguments(p.oid) || ')',
      'arguments', p.pronargs, 'returns', format_type(p.prorettype, null)) order by s.name, p.proname, pg_get_function_identity_arguments(p.oid)), '[]')
    from pg_proc p join spaces s on s.oid = p.pronamespace
    where not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype in ('i', 'e'))
  ),
  'others', (
    select coalesce(json_agg(json_build_object('words', words, 'name', name) order by words, name), '[]') from (
      select 'statistics' as words, s.name || '.' || quote_ident(x.stxname) as name from pg_statistic_ext x join spaces s on s.oid = x.stxnamespace
      union all select 'collation', s.name || '.' || quote_ident(x.collname) from pg_collation x join spaces s on s.oid = x.collnamespace
      union all select 'text search configuration', s.name || '.' || quote_ident(x.cfgname) from pg_ts_config x join spaces s on s.oid = x.cfgnamespace
      union all select 'text search dictionary', s.name || '.' || quote_ident(x.dictname) from pg_ts_dict x join spaces s on s.oid = x.dictnamespace
      union all select 'publication', quote_ident(x.pubname) from pg_publication x
      union all select 'event trigger', quote_ident(x.evtname) from pg_event_trigger x
      union all select 'server', quote_ident(x.srvname) from pg_foreign_server x
      union all select 'foreign data wrapper', quote_ident(x.fdwname) from pg_foreign_data_wrapper x
    ) all_others
  ))
