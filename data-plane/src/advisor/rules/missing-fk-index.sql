-- Foreign keys whose own side has no index to look rows up with.
select 'warning' as severity, 'Foreign key column missing index' as title,
    format('Foreign key %s of %s has no index on its columns (%s): deleting or updating referenced rows, and joins, read the whole table.',
        k.constraint_name, k.table_name, k.columns) as description,
    format('%s.%s', k.table_name, k.constraint_name) as affected_object,
    format('CREATE INDEX CONCURRENTLY ON %s (%s);', k.table_name, k.columns) as recommendation
from (
    select format('%I.%I', n.nspname, c.relname) as table_name, quote_ident(f.conname) as constraint_name,
        (select string_agg(quote_ident(a.attname), ', ' order by u.position)
            from unnest(f.conkey) with ordinality as u (number, position)
            join pg_attribute a on a.attrelid = c.oid and a.attnum = u.number) as columns
    from pg_constraint f
    join pg_class c on c.oid = f.conrelid
    join pg_namespace n on n.oid = c.relnamespace
    where f.contype = 'f' and f.conparentid = 0 and n.nspname = any ($1)
        and not exists (
            select from pg_index i
            where i.indrelid = c.oid and i.indisvalid and i.indpred is null
                and (i.indkey::int2[])[0:cardinality(f.conkey) - 1] = f.conkey)
) k
order by affected_object
