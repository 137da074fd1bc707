-- Statements that do not come to an end. $3 is how long one may run, in seconds; six times that is critical.
select case when a.age > make_interval(secs => $3 * 6) then 'critical' else 'warning' end as severity,
    format('Query running for %s minutes', (extract(epoch from a.age) / 60)::bigint) as title,
    format('Process %s has been running a statement for %s seconds: %s', a.pid, extract(epoch from a.age)::bigint, left(a.query, 100)) as description,
    'pg_stat_activity' as affected_object,
    format(E'-- A statement_timeout ends such statements by itself. This one can be cancelled (or ended with pg_terminate_backend):\nSELECT pg_cancel_backend(%s);', a.pid) as recommendation
from (
    select pid, query, now() - query_start as age
    from pg_stat_activity
    where state = 'active' and backend_type = 'client backend' and datname = current_database() and pid <> pg_backend_pid()
) a
where a.age > make_interval(secs => $3)
order by a.age desc
