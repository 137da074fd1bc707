select coalesce(json_agg(json_build_array(d.classid::bigint, d.objid::bigint, d.objsubid, d.refclassid::bigint, d.refobjid::bigint, d.refobjsubid)), '[]'::json)
from pg_depend d
where d.objid >= 16384 and d.refobjid >= 16384 and d.deptype in ('n', 'a', 'i', 'x') and d.refclassid <> 'pg_namespace'::regclass
