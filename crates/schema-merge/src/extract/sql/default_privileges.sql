with lists as (
  select d.defaclrole as role, n.nspname as schema, d.defaclobjtype as type, d.defaclacl as acl,
         case when d.defaclnamespace = 0
              then acldefault(case d.defaclobjtype when 'S' then 's'::"char" else d.defaclobjtype end, d.defaclrole)
              else null::aclitem[] end as standard
  from pg_default_acl d
  left join pg_namespace n on n.oid = d.defaclnamespace
  where d.defaclnamespace = 0 or d.defaclnamespace in ({user_schemas})
), granted as (
  select l.role, l.schema, l.type, x.grantee, x.privilege_type, bool_or(x.is_grantable) as grantable
  from lists l cross join lateral aclexplode(l.acl) x group by 1, 2, 3, 4, 5
), standard as (
  select l.role, l.schema, l.type, x.grantee, x.privilege_type, bool_or(x.is_grantable) as grantable
  from lists l cross join lateral aclexplode(l.standard) x group by 1, 2, 3, 4, 5
), deviations as (
  select true as granted, a.* from (select * from granted except select * from standard) a
  union all
  select false as granted, b.* from (select * from standard except select * from granted) b
)
select coalesce(json_agg(json_build_object(
         'role', quote_ident(pg_get_userbyid(d.role)), 'schema', quote_ident(d.schema), 'type', d.type,
         'grantee', case when d.grantee = 0 then 'public' when d.grantee = d.role then '@owner' else quote_ident(pg_get_userbyid(d.grantee)) end,
         'privilege', d.privilege_type, 'grantable', d.grantable, 'granted', d.granted)), '[]'::json)
from deviations d
