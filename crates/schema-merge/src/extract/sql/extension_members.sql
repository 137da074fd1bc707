select coalesce(json_agg(json_build_array(d.classid::bigint, d.objid::bigint, d.refobjid::bigint)), '[]'::json)
from pg_depend d
where d.refclassid = 'pg_extension'::regclass and d.deptype = 'e' and d.objid >= 16384
