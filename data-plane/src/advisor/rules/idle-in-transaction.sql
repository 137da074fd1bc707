-- Transactions that were opened and forgotten. $3 is how long one may idle, in seconds.
select 'warning' as severity, 'Idle transaction holding locks' as title,
    format('Process %s has been idle in a transaction for %s seconds; its last statement: %s', a.pid,
        extract(epoch from now() - a.state_change)::bigint, left(a.query, 100)) as description,
    'pg_stat_activity' as affected_object,
    format(E'-- Set idle_in_transaction_session_timeout for the clients that do this. This one can be ended:\nSELECT pg_terminate_backend(%s);', a.pid) as recommendation
from pg_stat_activity a
where a.state in ('idle in transaction', 'idle in transaction (aborted)') and a.datname = current_database()
    and a.state_change < now() - make_interval(secs => $3)
order by a.state_change
