-- Tables with much room taken by rows that are gone.
select case when t.ratio > 0.5 then 'warning' else 'info' end as severity, 'High dead tuple ratio' as title,
    format('%s has %s dead rows beside %s live ones (%s %%).', t.name, t.dead, t.live, round(t.ratio * 100)) as description,
    t.name as affected_object,
    format(E'VACUUM ANALYZE %1$s;\nALTER TABLE %1$s SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);', t.name) as recommendation
from (
    select format('%I.%I', schemaname, relname) as name, n_live_tup as live, n_dead_tup as dead,
        n_dead_tup::numeric / nullif(n_live_tup + n_dead_tup, 0) as ratio
    from pg_stat_user_tables
    where schemaname = any ($1)
) t
where t.live + t.dead > 1000 and t.dead > 200 and t.ratio > 0.2
order by t.name
