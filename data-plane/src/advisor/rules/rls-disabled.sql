-- Tables that a role of the data API can read without row-level security.
select 'critical' as severity,
    case when t.anon then 'Table publicly accessible' else 'Table accessible to all authenticated users' end as title,
    format('Row-level security is off on %s, and %s can read every row of it through the data API.', t.name,
        case when t.anon then 'anyone with the anon key' else 'every signed-in user' end) as description,
    t.name as affected_object,
    format(E'-- Rows become invisible until policies allow them; add those next.\nALTER TABLE %1$s ENABLE ROW LEVEL SECURITY;\nALTER TABLE %1$s FORCE ROW LEVEL SECURITY;',
        t.name) as recommendation
from (
    select format('%I.%I', n.nspname, c.relname) as name,
        has_table_privilege('anon', c.oid, 'select') as anon,
        has_table_privilege('authenticated', c.oid, 'select') as authenticated
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and not c.relrowsecurity and n.nspname = any ($1) and n.nspname = any ($2)
) t
where t.anon or t.authenticated
order by t.name
