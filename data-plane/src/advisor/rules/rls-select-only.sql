-- Tables that can be read by policy, but not written.
select 'info' as severity, 'Table has only SELECT RLS policy' as title,
    format('%s has policies for reading and none for writing: inserts, updates and deletes of anon and authenticated are refused.', t.name) as description,
    t.name as affected_object,
    format(E'-- Only if clients are to write to it; an example.\nCREATE POLICY %I ON %s FOR INSERT TO authenticated\n  WITH CHECK ((select auth.uid()) = %I);',
        t.relname || '_insert_own', t.name, coalesce(t.owner_column, 'user_id')) as recommendation
from (
    select format('%I.%I', n.nspname, c.relname) as name, c.relname,
        (select a.attname from pg_attribute a
            where a.attrelid = c.oid and a.atttypid = 'uuid'::regtype and not a.attisdropped
                and a.attname in ('user_id', 'owner_id', 'author_id', 'created_by', 'profile_id')
            order by a.attname <> 'user_id', a.attnum limit 1) as owner_column
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and c.relrowsecurity and n.nspname = any ($1)
        and exists (select from pg_policy p where p.polrelid = c.oid and p.polcmd = 'r')
        and not exists (select from pg_policy p where p.polrelid = c.oid and p.polcmd <> 'r')
) t
order by t.name
