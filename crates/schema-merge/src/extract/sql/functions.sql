select coalesce(json_agg(json_build_object(
         'oid', p.oid::bigint, 'schema', quote_ident(n.nspname), 'name', quote_ident(p.proname),
         'input', coalesce((select string_agg(format_type(t.type, null), ', ' order by t.position)
                            from unnest(p.proargtypes) with ordinality t(type, position)), ''),
         'owner', quote_ident(pg_get_userbyid(p.proowner)), 'prokind', p.prokind, 'language', quote_ident(l.lanname),
         'arguments', pg_get_function_arguments(p.oid), 'returns', pg_get_function_result(p.oid),
         'body', coalesce(pg_get_function_sqlbody(p.oid), p.prosrc), 'standard_body', p.prosqlbody is not null,
         'volatility', p.provolatile, 'strict', p.proisstrict, 'security_definer', p.prosecdef, 'leakproof', p.proleakproof,
         'signature', (select string_agg(concat_ws(' ', p.proargmodes[x.position::int], quote_ident(p.proargnames[x.position::int]), format_type(x.type, null)), ', '
                         order by x.position) from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) with ordinality x(type, position)),
         'optional_arguments', p.pronargdefaults,
         'support', nullif(p.prosupport::oid, 0)::regproc::text,
         'transforms', (select json_agg(format_type(x.type, null) order by x.position) from unnest(p.protrftypes) with ordinality x(type, position)),
         'parallel', p.proparallel, 'cost', p.procost, 'rows', p.prorows, 'config', (select json_agg(x.entry order by x.entry) from unnest(p.proconfig) x(entry)),
         'plain', l.lanname not in ('c', 'internal'))
         order by p.oid), '[]'::json)
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
join pg_language l on l.oid = p.prolang
where p.prokind in ('f', 'p', 'w') and p.pronamespace in ({user_schemas})
