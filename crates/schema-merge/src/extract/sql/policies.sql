-- An array in the order of rows::Policy: building an object costs Postgres twice as much.
select coalesce(json_agg(json_build_array(
         p.oid::bigint, p.polrelid::bigint, quote_ident(p.polname),
         case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
         p.polpermissive,
         (select json_agg(r.name order by r.name)
                   from (select case when role = 0 then 'public' else quote_ident(pg_get_userbyid(role)) end as name
                         from unnest(p.polroles) role) r),
         pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
         order by p.oid), '[]'::json)
from pg_policy p
join pg_class c on c.oid = p.polrelid
where c.relkind in ('r', 'p') and (c.relnamespace in ({user_schemas}) or c.oid in ({open_tables}))
