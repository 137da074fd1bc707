select coalesce(json_agg(json_build_object(
         'oid', e.oid::bigint, 'name', quote_ident(e.extname), 'schema', quote_ident(n.nspname))
         order by e.extname), '[]'::json)
from pg_extension e
join pg_namespace n on n.oid = e.extnamespace
where e.extname <> 'plpgsql'
