-- Everything the data API has to know about the exposed schemas, as one JSON document.
-- $1: names of the platform's own schemas, $2: the roles requests run under, $3: the session user of those requests. Run with an empty search_path so that type names come out qualified.
with recursive exposed as (
    select n.oid, n.nspname
    from pg_catalog.pg_namespace n
    where n.nspname !~ '^(pg|hearth_undo|hearth_redo)_'
      and n.nspname <> 'information_schema'
      and n.nspname <> all ($1::text[])
      and not exists (
          select from pg_catalog.pg_depend d
          where d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass and d.objid = n.oid and d.deptype = 'e')
),
shown as (
    select c.oid
    from pg_catalog.pg_class c
    join exposed e on e.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
),
-- What exposed views show is known too, so that their keys and relationships are.
known (oid) as (
    select oid from shown
    union
    select d.refobjid
    from known k
    join pg_catalog.pg_rewrite w on w.ev_class = k.oid
    join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and d.objid = w.oid
        and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid <> k.oid
),
relations as (
    select c.oid, n.nspname, c.relname, c.relkind, c.oid in (select oid from shown) as exposed
    from known k
    join pg_catalog.pg_class c on c.oid = k.oid and c.relkind in ('r', 'p', 'v', 'm', 'f')
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
),
columns as (
    select a.attrelid as relation,
           json_agg(json_build_object(
               'name', a.attname,
               'number', a.attnum,
               'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
               'base', case when t.typtype = 'd' then pg_catalog.format_type(t.typbasetype, null) else pg_catalog.format_type(a.atttypid, null) end,
               'nullable', not a.attnotnull,
               'default', case
                   when a.attidentity <> '' then
                       'pg_catalog.nextval(' || pg_catalog.quote_literal(pg_catalog.pg_get_serial_sequence(
                           pg_catalog.quote_ident(r.nspname) || '.' || pg_catalog.quote_ident(r.relname), a.attname)) || '::pg_catalog.regclass)'
                   when a.attgenerated = '' then coalesce(
                       pg_catalog.pg_get_expr(d.adbin, d.adrelid),
                       case when t.typtype = 'd' then pg_catalog.pg_get_expr(t.typdefaultbin, 0) end)
               end
           ) order by a.attnum) as items
    from relations r
    join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    join pg_catalog.pg_type t on t.oid = a.atttypid
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    group by a.attrelid
),
primary_keys as (
    select i.indrelid as relation,
           (select json_agg(a.attname order by k.position)
            from unnest(i.indkey::int2[]) with ordinality as k (number, position)
            join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number) as items
    from pg_catalog.pg_index i
    join relations r on r.oid = i.indrelid
    where i.indisprimary
),
foreign_keys as (
    select c.oid, c.conname, c.conrelid, c.confrelid, c.conkey, c.confkey,
           exists (
               select from pg_catalog.pg_index i
               where i.indrelid = c.conrelid and i.indisunique and i.indpred is null and i.indexprs is null
                 and i.indnkeyatts = cardinality(c.conkey)
                 and (select array_agg(k order by k) from unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) k)
                   = (select array_agg(k order by k) from unnest(c.conkey) k)
           ) as one_to_one
    from pg_catalog.pg_constraint c
    where c.contype = 'f' and c.conparentid = 0
      and c.conrelid in (select oid from relations) and c.confrelid in (select oid from relations)
),
functions as (
    select p.oid, e.nspname, p.proname, p.provolatile, p.proretset, p.prorows, p.prorettype, p.provariadic, p.pronargs, p.pronargdefaults,
           coalesce(p.proallargtypes, p.proargtypes::oid[]) as types,
           coalesce(p.proargnames, '{}') as names,
           p.proargmodes::text[] as modes,
           p.proconfig
    from pg_catalog.pg_proc p
    join exposed e on e.oid = p.pronamespace
    where p.prokind = 'f'
      and p.prorettype not in ('pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype)
      and not exists (
          select from pg_catalog.pg_depend d
          where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.objid = p.oid and d.deptype = 'e' and e.nspname <> 'public')
),
-- Of the settings given to a role everywhere and in this database the latter count; those that the session user may not choose do not.
role_settings as (
    select distinct on (given.role, given.name) given.role, given.name, given.value
    from (
        select r.rolname as role, d.setdatabase, split_part(c.setting, '=', 1) as name, substr(c.setting, strpos(c.setting, '=') + 1) as value
        from pg_catalog.pg_db_role_setting d
        join pg_catalog.pg_roles r on r.oid = d.setrole and r.rolname = any ($2::text[])
        cross join unnest(d.setconfig) as c (setting)
        where d.setdatabase in (0, (select oid from pg_catalog.pg_database where datname = current_database()))
    ) given
    join pg_catalog.pg_settings p on p.name = given.name
        and (p.context = 'user' or pg_catalog.has_parameter_privilege($3, p.name, 'set'))
    order by given.role, given.name, given.setdatabase desc
)
select json_build_object(
    'schemas', (select coalesce(json_agg(nspname order by nspname <> 'public', nspname), '[]') from exposed),
    'relations', (
        select coalesce(json_agg(json_build_object(
            'oid', r.oid::bigint,
            'schema', r.nspname,
            'name', r.relname,
            'exposed', r.exposed,
            'columns', coalesce(c.items, '[]'),
            'primary_key', coalesce(k.items, '[]'),
            'definition', (
                select w.ev_action::text
                from pg_catalog.pg_rewrite w
                where w.ev_class = r.oid and w.rulename = '_RETURN' and r.relkind in ('v', 'm'))
        )), '[]')
        from relations r
        left join columns c on c.relation = r.oid
        left join primary_keys k on k.relation = r.oid),
    'foreign_keys', (
        select coalesce(json_agg(json_build_object(
            'name', f.conname,
            'relation', f.conrelid::bigint,
            'columns', f.conkey,
            'foreign_relation', f.confrelid::bigint,
            'foreign_columns', f.confkey,
            'one_to_one', f.one_to_one
        ) order by f.conname, f.oid), '[]')
        from foreign_keys f),
    'functions', (
        select coalesce(json_agg(json_build_object(
            'schema', f.nspname,
            'name', f.proname,
            'volatility', f.provolatile,
            'set', f.proretset,
            'one_row', not f.proretset or f.prorows = 1,
            'void', f.prorettype = 'pg_catalog.void'::pg_catalog.regtype,
            'arguments', (
                select coalesce(json_agg(json_build_object(
                    'name', coalesce(f.names[a.position], ''),
                    -- Of unknown length: without a modifier the two names would mean a length of one.
                    'type', case pg_catalog.format_type(a.type, null)
                        when 'character' then 'bpchar'
                        when 'character[]' then 'bpchar[]'
                        when 'bit' then 'bit varying'
                        when 'bit[]' then 'bit varying[]'
                        else pg_catalog.format_type(a.type, null) end,
                    'required', a.input <= f.pronargs - f.pronargdefaults,
                    'variadic', coalesce(f.modes[a.position], 'i') = 'v',
                    'relation', (select y.typrelid::bigint from pg_catalog.pg_type y where y.oid = a.type and y.typrelid <> 0)
                ) order by a.position), '[]')
                from (
                    select u.type, u.position, row_number() over (order by u.position) as input
                    from unnest(f.types) with ordinality as u (type, position)
                    where coalesce(f.modes[u.position], 'i') in ('i', 'b', 'v')
                ) a),
            'outputs', (
                select coalesce(json_agg(f.names[u.position] order by u.position), '[]')
                from unnest(f.types) with ordinality as u (type, position)
                where f.modes[u.position] in ('o', 'b', 't')),
            'composite', t.typtype = 'c' or coalesce(f.modes && '{o,b,t}', false) or t.oid = 'pg_catalog.record'::pg_catalog.regtype,
            'relation', nullif(t.typrelid, 0)::bigint,
            'members', (
                select coalesce(json_agg(m.attname order by m.attnum), '[]')
                from pg_catalog.pg_attribute m
                where m.attrelid = t.typrelid and t.typrelid <> 0 and m.attnum > 0 and not m.attisdropped),
            'settings', coalesce(f.proconfig, '{}')
        ) order by f.nspname, f.proname, f.oid), '[]')
        from functions f
        join pg_catalog.pg_type t on t.oid = f.prorettype),
    'types', (
        select coalesce(json_agg(json_build_object('schema', n.nspname, 'name', y.typname)), '[]')
        from pg_catalog.pg_type y
        join pg_catalog.pg_namespace n on n.oid = y.typnamespace
        where y.typtype in ('d', 'e', 'b', 'r') and y.typcategory <> 'A' and n.nspname in (select nspname from exposed)),
    'role_settings', (
        select coalesce(json_agg(json_build_object('role', s.role, 'name', s.name, 'value', s.value)), '[]')
        from role_settings s)
)::text as catalog
