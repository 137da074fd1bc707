-- Tables that the planner knows too little of.
select case when t.never or t.changes > 100000 then 'warning' else 'info' end as severity,
    case when t.never then 'Table never analyzed' else 'Stale table statistics' end as title,
    format('%s rows of %s changed since the planner last looked at it%s.', t.changes, t.name,
        case when t.never then ', which was never' else '' end) as description,
    t.name as affected_object,
    format(E'ANALYZE %1$s;\nALTER TABLE %1$s SET (autovacuum_analyze_scale_factor = 0.02);', t.name) as recommendation
from (
    select format('%I.%I', schemaname, relname) as name, n_mod_since_analyze as changes, n_live_tup as live,
        last_analyze is null and last_autoanalyze is null as never
    from pg_stat_user_tables
    where schemaname = any ($1)
) t
where t.changes > 500 and (t.changes > t.live * 0.2 or (t.never and t.live > 0))
order by t.name
