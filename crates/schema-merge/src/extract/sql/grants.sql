-- Few lists of privileges are shared by many objects, so each list is taken apart once.
with lists as (
  select 2615 as class, n.oid, 0 as sub, n.nspowner as owner, coalesce(n.nspacl, acldefault('n', n.nspowner)) as acl
  from pg_namespace n where n.oid in ({user_schemas})
  union all
  select 1259, c.oid, 0, c.relowner,
         coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's'::"char" else 'r'::"char" end, c.relowner))
  from pg_class c where c.relkind in ('r', 'v', 'S', 'm', 'p', 'f') and c.relnamespace in ({user_schemas})
  union all
  select 1259, a.attrelid, a.attnum, c.relowner, a.attacl
  from pg_attribute a join pg_class c on c.oid = a.attrelid
  where a.attacl is not null and not a.attisdropped and a.attnum > 0 and c.relkind in ('r', 'v', 'm', 'p', 'f') and c.relnamespace in ({user_schemas})
  union all
  select 1255, p.oid, 0, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
  from pg_proc p where p.pronamespace in ({user_schemas})
  union all
  select 1247, t.oid, 0, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
  from pg_type t left join pg_class r on r.oid = t.typrelid
  where (t.typtype in ('e', 'd', 'r') or r.relkind = 'c') and t.typnamespace in ({user_schemas})
  union all
  select 2328, w.oid, 0, w.fdwowner, coalesce(w.fdwacl, acldefault('F', w.fdwowner)) from pg_foreign_data_wrapper w
  union all
  select 1417, s.oid, 0, s.srvowner, coalesce(s.srvacl, acldefault('S', s.srvowner)) from pg_foreign_server s
), distinct_lists as (
  select row_number() over () as number, l.owner, l.acl, l.objects
  from (select owner, acl, json_agg(array[class::bigint, oid::bigint, sub]) as objects from lists group by 1, 2) l
), entries as (
  select l.number,
         case when x.grantee = 0 then 'public' when x.grantee = l.owner then '@owner' else quote_ident(pg_get_userbyid(x.grantee)) end as grantee,
         case when x.grantor <> l.owner then quote_ident(pg_get_userbyid(x.grantor)) end as grantor,
         x.privilege_type as privilege, bool_or(x.is_grantable) as grantable
  from distinct_lists l cross join lateral aclexplode(l.acl) x
  group by 1, 2, 3, 4
), grantees as (
  select number, json_agg(json_build_array(grantee, grantor, plain, grantable)) as held
  from (select number, grantee, grantor,
               array_agg(privilege order by privilege) filter (where not grantable) as plain,
               array_agg(privilege order by privilege) filter (where grantable) as grantable
        from entries group by 1, 2, 3) g
  group by 1
)
select coalesce(json_agg(json_build_object('objects', l.objects, 'held', g.held)), '[]'::json)
from distinct_lists l join grantees g using (number)
