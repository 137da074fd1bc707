select coalesce(json_agg(json_build_array(d.classoid::bigint, d.objoid::bigint, d.objsubid, d.description)), '[]'::json)
from pg_description d
where (d.objoid >= 16384 or d.classoid = 'pg_namespace'::regclass)
