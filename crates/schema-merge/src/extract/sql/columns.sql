-- An array in the order of rows::Column: building an object costs Postgres twice as much.
select coalesce(json_agg(json_build_array(
         a.attrelid::bigint, a.attnum, quote_ident(a.attname),
         format_type(a.atttypid, a.atttypmod),
         case when a.attcollation <> t.typcollation
                           then (select quote_ident(cn.nspname) || '.' || quote_ident(k.collname)
                                 from pg_collation k join pg_namespace cn on cn.oid = k.collnamespace where k.oid = a.attcollation) end,
         a.attnotnull and named.oid is null,
         case when a.attstorage <> t.typstorage then a.attstorage end,
         t.typstorage,
         nullif(a.attcompression, ''),
         case when a.attstattarget >= 0 then a.attstattarget end,
         -- Some builds of Postgres stamp every column with a WAL position here, which nobody declared.
         case when a.attoptions is not null then (select json_agg(o.option order by o.option)
                      from unnest(a.attoptions) as o(option) where o.option not like 'pg\_attver=%') end,
         nullif(a.attgenerated, ''),
         case when d.oid is not null then pg_get_expr(d.adbin, d.adrelid) end,
         d.oid::bigint,
         case when a.attidentity <> '' then json_build_object(
              'mode', case a.attidentity when 'a' then 'always' else 'by default' end,
              'sequence', i.sequence, 'type', i.type, 'start', i.seqstart, 'increment', i.seqincrement,
              'minimum', i.seqmin, 'maximum', i.seqmax, 'cache', i.seqcache, 'cycle', i.seqcycle) end,
         i.oid::bigint, a.attinhcount > 0 and not a.attislocal, a.attfdwoptions)
         order by a.attrelid, a.attnum), '[]'::json)
from pg_attribute a
join pg_class c on c.oid = a.attrelid
join pg_type t on t.oid = a.atttypid
left join pg_constraint named on named.conrelid = a.attrelid and named.contype = 'n' and named.conkey[1] = a.attnum
  and named.conname !~ '_not_null\d*$' and a.attidentity = ''
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
left join (
  select p.refobjid, p.refobjsubid, s.oid, quote_ident(sn.nspname) || '.' || quote_ident(s.relname) as sequence,
         format_type(q.seqtypid, null) as type, q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcache, q.seqcycle
  from pg_depend p
  join pg_class s on s.oid = p.objid and s.relkind = 'S'
  join pg_namespace sn on sn.oid = s.relnamespace
  join pg_sequence q on q.seqrelid = s.oid
  where p.classid = 'pg_class'::regclass and p.refclassid = 'pg_class'::regclass and p.deptype = 'i'
) i on i.refobjid = a.attrelid and i.refobjsubid = a.attnum
where c.relkind in ('r', 'p', 'f') and c.relnamespace in ({user_schemas}) and a.attnum > 0 and not a.attisdropped
