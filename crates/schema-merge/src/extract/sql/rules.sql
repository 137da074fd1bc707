select coalesce(json_agg(json_build_object(
         'oid', r.oid::bigint, 'relation', r.ev_class::bigint, 'name', quote_ident(r.rulename),
         'enabled', r.ev_enabled, 'definition', pg_get_ruledef(r.oid))
         order by r.oid), '[]'::json)
from pg_rewrite r
join pg_class c on c.oid = r.ev_class
where r.rulename <> '_RETURN' and c.relkind in ('r', 'v', 'p', 'm', 'f') and c.relnamespace in ({user_schemas})
