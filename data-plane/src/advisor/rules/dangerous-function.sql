-- Functions with their owner's rights that callers of the data API can run.
select 'critical' as severity, 'Dangerous SECURITY DEFINER function' as title,
    format('%s runs with the rights of %s and can be called by %s through the data API.', f.name, f.owner, f.role) as description,
    f.name as affected_object,
    format(E'REVOKE EXECUTE ON ROUTINE %1$s FROM %2$I, PUBLIC;\nALTER ROUTINE %1$s SET search_path = '''';\n-- Or, where the owner''s rights are not needed: ALTER FUNCTION %1$s SECURITY INVOKER;',
        f.name, f.role) as recommendation
from (
    select format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) as name,
        pg_get_userbyid(p.proowner) as owner, r.role
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    cross join unnest(array['anon', 'authenticated']) as r (role)
    where p.prosecdef and p.prokind in ('f', 'p', 'w')
        and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
        and n.nspname = any ($1) and n.nspname = any ($2)
        and has_function_privilege(r.role, p.oid, 'execute')
) f
order by f.name, f.role
