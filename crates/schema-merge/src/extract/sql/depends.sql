-- One text, because building an array of arrays costs more than all else here. Row and array types are aliases.
select to_json(coalesce(string_agg(concat_ws(',', d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid, d.refobjsubid), ';'), ''))
from pg_depend d
where d.objid >= 16384 and d.refobjid >= 16384 and d.deptype in ('n', 'a', 'i', 'x') and d.refclassid <> 'pg_namespace'::regclass
  and not (d.classid = 'pg_type'::regclass and d.deptype = 'i')
