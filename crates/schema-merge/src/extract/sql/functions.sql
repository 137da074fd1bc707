-- An array in the order of rows::Function: building an object costs Postgres twice as much.
select coalesce(json_agg(json_build_array(
         p.oid::bigint, quote_ident(n.nspname), quote_ident(p.proname),
         coalesce((select string_agg(format_type(t.type, null), ', ' order by t.position)
                            from unnest(p.proargtypes) with ordinality t(type, position)), ''),
         quote_ident(pg_get_userbyid(p.proowner)), p.prokind, quote_ident(l.lanname),
         pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
         coalesce(pg_get_function_sqlbody(p.oid), p.prosrc), p.prosqlbody is not null,
         p.provolatile, p.proisstrict, p.prosecdef, p.proleakproof,
         (select string_agg(concat_ws(' ', p.proargmodes[x.position::int], quote_ident(p.proargnames[x.position::int]), format_type(x.type, null)), ', '
                         order by x.position) from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) with ordinality x(type, position)),
         p.pronargdefaults,
         nullif(p.prosupport::oid, 0)::regproc::text,
         (select json_agg(format_type(x.type, null) order by x.position) from unnest(p.protrftypes) with ordinality x(type, position)),
         p.proparallel, p.procost, p.prorows, (select json_agg(x.entry order by x.entry) from unnest(p.proconfig) x(entry)),
         l.lanname not in ('c', 'internal'))
         order by p.oid), '[]'::json)
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
join pg_language l on l.oid = p.prolang
where p.prokind in ('f', 'p', 'w') and p.pronamespace in ({user_schemas})
