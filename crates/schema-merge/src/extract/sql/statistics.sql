select coalesce(json_agg(json_build_object(
         'oid', s.oid::bigint, 'relation', s.stxrelid::bigint, 'schema', quote_ident(n.nspname), 'name', quote_ident(s.stxname),
         'owner', quote_ident(pg_get_userbyid(s.stxowner)), 'definition', pg_get_statisticsobjdef(s.oid),
         'target', case when s.stxstattarget >= 0 then s.stxstattarget end)
         order by s.oid), '[]'::json)
from pg_statistic_ext s
join pg_namespace n on n.oid = s.stxnamespace
where s.stxnamespace in ({user_schemas})
