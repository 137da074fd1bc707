-- Autovacuum that waits for somebody's lock.
select distinct on (affected_object)
    case when w.waited > interval '1 hour' then 'critical' else 'warning' end as severity, 'Autovacuum Blocked' as title,
    format('Autovacuum of %s has waited %s seconds for a lock of process %s: %s', w.name, extract(epoch from w.waited)::bigint,
        h.pid, left(h.query, 100)) as description,
    w.name as affected_object,
    format(E'-- If what holds the lock is not needed:\nSELECT pg_terminate_backend(%s);', h.pid) as recommendation
from (
    select format('%I.%I', n.nspname, c.relname) as name, now() - coalesce(l.waitstart, a.query_start) as waited,
        pg_blocking_pids(a.pid) as holders
    from pg_locks l
    join pg_stat_activity a on a.pid = l.pid
    join pg_class c on c.oid = l.relation
    join pg_namespace n on n.oid = c.relnamespace
    where not l.granted and l.locktype = 'relation' and a.datname = current_database() and a.query ilike '%autovacuum%'
        and a.pid <> pg_backend_pid()
) w
join pg_stat_activity h on h.pid = any (w.holders)
order by affected_object, w.waited desc, h.pid
