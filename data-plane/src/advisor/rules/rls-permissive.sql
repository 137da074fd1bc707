-- Policies that let everything through.
with permissive as (
    select format('%I.%I', n.nspname, c.relname) as table_name, quote_ident(p.polname) as policy, p.polcmd, c.oid,
        regexp_replace(lower(pg_get_expr(p.polqual, c.oid)), '\s', '', 'g')
            = any (array['true', '(true)', 'true::boolean', '(true::boolean)', '(true)::boolean', '1=1', '(1=1)']) as open_using,
        regexp_replace(lower(pg_get_expr(p.polwithcheck, c.oid)), '\s', '', 'g')
            = any (array['true', '(true)', 'true::boolean', '(true::boolean)', '(true)::boolean', '1=1', '(1=1)']) as open_check,
        p.polroles && array[0::oid, 'anon'::regrole::oid] as for_anon
    from pg_policy p
    join pg_class c on c.oid = p.polrelid
    join pg_namespace n on n.oid = c.relnamespace
    where c.relrowsecurity and p.polpermissive and n.nspname = any ($1)
        and p.polroles && array[0::oid, 'anon'::regrole::oid, 'authenticated'::regrole::oid]
), judged as (
    select *, for_anon and case polcmd
            when 'r' then has_table_privilege('anon', oid, 'select')
            when 'a' then has_table_privilege('anon', oid, 'insert')
            when 'w' then has_table_privilege('anon', oid, 'update')
            when 'd' then has_table_privilege('anon', oid, 'delete')
            else has_table_privilege('anon', oid, 'select, insert, update, delete') end as reaches_anon
    from permissive
    where open_using or open_check
)
select case when reaches_anon then 'critical' else 'warning' end as severity,
    case when reaches_anon then 'Permissive RLS policy exposes data to anonymous users' else 'Overly permissive RLS policy' end as title,
    format('Policy %s on %s allows %s on every row%s.', policy, table_name,
        case polcmd when 'r' then 'reading' when 'a' then 'inserting' when 'w' then 'updating' when 'd' then 'deleting' else 'everything' end,
        case when reaches_anon then ', also to anonymous callers' else '' end) as description,
    format('%s (%s)', table_name, policy) as affected_object,
    format(E'-- Put the real condition in place of this example.\nALTER POLICY %s ON %s%s%s;', policy, table_name,
        case when open_using then ' USING ((select auth.uid()) = user_id)' end,
        case when open_check then ' WITH CHECK ((select auth.uid()) = user_id)' end) as recommendation
from judged
order by affected_object
