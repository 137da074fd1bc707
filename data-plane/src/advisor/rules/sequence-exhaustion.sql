-- Sequences that run out of numbers.
select case when s.share >= 0.9 then 'critical' else 'warning' end as severity, 'Sequence approaching exhaustion' as title,
    format('Sequence %s is at %s of %s (%s %%); inserts fail when it is used up.', s.name, s.last_value, s.max_value, round(s.share * 100)) as description,
    s.name as affected_object,
    concat(s.column_change, format('ALTER SEQUENCE %s AS bigint MAXVALUE 9223372036854775807;', s.name)) as recommendation
from (
    select format('%I.%I', q.schemaname, q.sequencename) as name, q.last_value, q.max_value,
        q.last_value::numeric / q.max_value as share,
        (select format(E'ALTER TABLE %I.%I ALTER COLUMN %I TYPE bigint;\n', n.nspname, c.relname, a.attname)
            from pg_depend d
            join pg_class c on c.oid = d.refobjid
            join pg_namespace n on n.oid = c.relnamespace
            join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid
            where d.classid = 'pg_class'::regclass and d.objid = format('%I.%I', q.schemaname, q.sequencename)::regclass
                and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
                and a.atttypid in ('int2'::regtype, 'int4'::regtype)
            limit 1) as column_change
    from pg_sequences q
    where q.schemaname = any ($1) and q.last_value is not null and q.increment_by > 0
) s
where s.share >= 0.75
order by s.name
