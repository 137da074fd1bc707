select coalesce(json_agg(json_build_object(
         'oid', n.oid::bigint, 'name', quote_ident(n.nspname), 'owner', quote_ident(pg_get_userbyid(n.nspowner)))
         order by n.nspname), '[]'::json)
from pg_namespace n
where n.oid in ({user_schemas})
