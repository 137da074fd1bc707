-- An array in the order of rows::Constraint: building an object costs Postgres twice as much.
select coalesce(json_agg(json_build_array(
         k.oid::bigint, k.conrelid::bigint, quote_ident(k.conname), k.contype,
         case when k.contype in ('p', 'u', 'x') then k.conindid::bigint end,
         pg_get_constraintdef(k.oid),
         k.condeferrable, k.condeferred, k.convalidated,
         k.connoinherit and k.contype in ('c', 'n'), nullif(k.conparentid, 0)::bigint,
         k.contype in ('c', 'n') and k.coninhcount > 0 and not k.conislocal)
         order by k.oid), '[]'::json)
from pg_constraint k
join pg_class c on c.oid = k.conrelid
-- From 18 on each null rule is a constraint. Those that nobody named are said of their column.
-- That of an identity column comes with the identity.
where (k.contype in ('p', 'u', 'f', 'c', 'x') or k.contype = 'n' and k.conname !~ '_not_null\d*$' and not exists (
         select from pg_attribute a where a.attrelid = k.conrelid and a.attnum = k.conkey[1] and a.attidentity <> '')) and c.relkind in ('r', 'p', 'f') and c.relnamespace in ({user_schemas})
