-- Policies that ask for the caller once per row instead of once per statement.
with policies as (
    select format('%I.%I', n.nspname, c.relname) as table_name, quote_ident(p.polname) as policy,
        pg_get_expr(p.polqual, c.oid) as condition, pg_get_expr(p.polwithcheck, c.oid) as check_condition
    from pg_policy p
    join pg_class c on c.oid = p.polrelid
    join pg_namespace n on n.oid = c.relnamespace
    where c.relrowsecurity and n.nspname = any ($1)
), judged as (
    select p.*, u.bare as bare_condition, w.bare as bare_check
    from policies p
    cross join lateral (
        select coalesce(bool_or(strpos(lower(p.condition), call) > 0 and strpos(lower(p.condition), 'select ' || call) = 0), false) as bare
        from unnest(array['auth.uid()', 'auth.jwt()', 'auth.role()', 'auth.email()', 'current_setting(']) as call) u
    cross join lateral (
        select coalesce(bool_or(strpos(lower(p.check_condition), call) > 0 and strpos(lower(p.check_condition), 'select ' || call) = 0), false) as bare
        from unnest(array['auth.uid()', 'auth.jwt()', 'auth.role()', 'auth.email()', 'current_setting(']) as call) w
)
select 'warning' as severity, 'RLS policy re-evaluates auth/current_setting per row' as title,
    format('Policy %s on %s calls a function of the session for every row it checks.', policy, table_name) as description,
    format('%s (%s)', table_name, policy) as affected_object,
    format('ALTER POLICY %s ON %s%s%s;', policy, table_name,
        case when bare_condition then ' USING (' || regexp_replace(condition,
            '(auth\.(?:uid|jwt|role|email)\(\)|current_setting\([^()]*\))', '(select \1)', 'g') || ')' end,
        case when bare_check then ' WITH CHECK (' || regexp_replace(check_condition,
            '(auth\.(?:uid|jwt|role|email)\(\)|current_setting\([^()]*\))', '(select \1)', 'g') || ')' end) as recommendation
from judged
where bare_condition or bare_check
order by affected_object
