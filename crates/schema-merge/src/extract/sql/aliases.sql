select json_build_object(
  'rules', (select coalesce(json_agg(json_build_array(r.oid::bigint, r.ev_class::bigint)), '[]'::json)
            from pg_rewrite r where r.oid >= 16384),
  -- Constructors of range types stand for their type.
  'functions', (select coalesce(json_agg(json_build_array(d.objid::bigint, d.refobjid::bigint)), '[]'::json)
                from pg_depend d where d.classid = 'pg_proc'::regclass and d.refclassid = 'pg_type'::regclass and d.deptype = 'i' and d.objid >= 16384),
  -- Entries of operator classes and families stand for them.
  'entries', (select coalesce(json_agg(json_build_array(d.classid::bigint, d.objid::bigint, d.refclassid::bigint, d.refobjid::bigint)), '[]'::json)
              from pg_depend d where d.classid in (2602, 2603) and d.refclassid in (2616, 2753) and d.deptype in ('i', 'a') and d.objid >= 16384),
  'multiranges', (select coalesce(json_agg(json_build_array(r.rngmultitypid::bigint, r.rngtypid::bigint)), '[]'::json)
                  from pg_range r where r.rngtypid >= 16384),
  'types', (select coalesce(json_agg(json_build_array(t.oid::bigint, nullif(t.typrelid, 0)::bigint, nullif(t.typelem, 0)::bigint)), '[]'::json)
            from pg_type t where t.oid >= 16384 and (t.typrelid <> 0 or t.typelem <> 0)))
