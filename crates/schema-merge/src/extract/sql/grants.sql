with lists as (
  select 2615 as class, n.oid, 0 as sub, n.nspowner as owner, coalesce(n.nspacl, acldefault('n', n.nspowner)) as acl
  from pg_namespace n where n.oid in ({user_schemas})
  union all
  select 1259, c.oid, 0, c.relowner,
         coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's'::"char" else 'r'::"char" end, c.relowner))
  from pg_class c where c.relkind in ('r', 'v', 'S') and c.relnamespace in ({user_schemas})
  union all
  select 1259, a.attrelid, a.attnum, c.relowner, a.attacl
  from pg_attribute a join pg_class c on c.oid = a.attrelid
  where a.attacl is not null and not a.attisdropped and a.attnum > 0 and c.relkind in ('r', 'v') and c.relnamespace in ({user_schemas})
  union all
  select 1255, p.oid, 0, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
  from pg_proc p where p.prokind in ('f', 'p', 'w') and p.pronamespace in ({user_schemas})
  union all
  select 1247, t.oid, 0, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
  from pg_type t where t.typtype in ('e', 'd') and t.typnamespace in ({user_schemas})
), entries as (
  select l.class, l.oid, l.sub,
         case when x.grantee = 0 then 'public' when x.grantee = l.owner then '@owner' else quote_ident(pg_get_userbyid(x.grantee)) end as grantee,
         x.privilege_type as privilege, bool_or(x.is_grantable) as grantable
  from lists l cross join lateral aclexplode(l.acl) x
  group by 1, 2, 3, 4, 5
)
select coalesce(json_agg(json_build_array(g.class, g.oid::bigint, g.sub, g.grantee, g.plain, g.grantable)), '[]'::json)
from (select class, oid, sub, grantee,
             array_agg(privilege order by privilege) filter (where not grantable) as plain,
             array_agg(privilege order by privilege) filter (where grantable) as grantable
      from entries group by 1, 2, 3, 4) g
