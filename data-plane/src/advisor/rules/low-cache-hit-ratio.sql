-- How often a page was found in memory.
select case when r.ratio < 0.90 then 'critical' else 'warning' end as severity,
    'Low buffer cache hit ratio' as title,
    format('%s %% of page reads were served from memory; 99 %% is usual.', round(r.ratio * 100, 1)) as description,
    'pg_stat_database' as affected_object,
    E'-- Give the instance more memory (shared_buffers), and look for statements that read much:\nSELECT relname, heap_blks_read FROM pg_statio_user_tables ORDER BY heap_blks_read DESC LIMIT 10;' as recommendation
from (
    select blks_hit::numeric / nullif(blks_hit + blks_read, 0) as ratio
    from pg_stat_database
    where datname = current_database()
) r
where r.ratio < 0.95
