-- Statements that are slow on average. {statistics} is the view of the extension, qualified.
select 'warning' as severity, 'Slow query detected' as title,
    format('A statement takes %s ms on average (%s calls): %s', round(s.mean_exec_time), s.calls, left(s.query, 100)) as description,
    'pg_stat_statements' as affected_object,
    E'-- Look at its plan with EXPLAIN (ANALYZE, BUFFERS), and add the indexes it lacks.' as recommendation
from {statistics} s
where s.calls > 0 and s.mean_exec_time > 1000
    and s.dbid = (select oid from pg_database where datname = current_database())
order by s.mean_exec_time desc
limit 10
