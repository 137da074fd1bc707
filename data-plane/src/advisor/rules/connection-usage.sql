-- Connections in use, out of those that may be open.
select case when u.share >= 0.95 then 'critical' else 'warning' end as severity,
    case when u.share >= 0.95 then 'Connection pool nearly exhausted' else 'Connection pool utilization high' end as title,
    format('%s of %s connections are in use (%s %%), %s of them idle.', u.used, u.most, round(u.share * 100), u.idle) as description,
    'max_connections' as affected_object,
    E'-- Look for clients that leave connections open, and let a pooler share them. Those idle for ten minutes can be closed:\nSELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = ''idle'' AND state_change < now() - interval ''10 minutes'';' as recommendation
from (
    select count(*) as used, count(*) filter (where state = 'idle') as idle,
        current_setting('max_connections')::int as most,
        count(*)::numeric / current_setting('max_connections')::int as share
    from pg_stat_activity
) u
where u.share >= 0.80
