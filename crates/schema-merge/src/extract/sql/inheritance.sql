select coalesce(json_agg(json_build_object(
         'child', i.inhrelid::bigint, 'parent', i.inhparent::bigint, 'position', i.inhseqno,
         'bound', case when c.relispartition then pg_get_expr(c.relpartbound, c.oid) end,
         'detaching', i.inhdetachpending)
         order by i.inhrelid, i.inhseqno), '[]'::json)
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where c.relkind in ('r', 'p', 'f') and c.relnamespace in ({user_schemas})
