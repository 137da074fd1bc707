-- Tables that nobody but the administrator can use.
select 'critical' as severity, 'RLS enabled but no policies defined' as title,
    format('Row-level security is on for %s, but there is no policy: every request of anon and authenticated finds no rows.', t.name) as description,
    t.name as affected_object,
    format(E'-- An example: every user has rows of their own.\nCREATE POLICY %1$I ON %2$s FOR ALL TO authenticated\n  USING ((select auth.uid()) = %3$I) WITH CHECK ((select auth.uid()) = %3$I);',
        t.relname || '_owner', t.name, coalesce(t.owner_column, 'user_id')) as recommendation
from (
    select format('%I.%I', n.nspname, c.relname) as name, c.relname,
        (select a.attname from pg_attribute a
            where a.attrelid = c.oid and a.atttypid = 'uuid'::regtype and not a.attisdropped
                and a.attname in ('user_id', 'owner_id', 'author_id', 'created_by', 'profile_id')
            order by a.attname <> 'user_id', a.attnum limit 1) as owner_column
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and c.relrowsecurity and n.nspname = any ($1)
        and not exists (select from pg_policy p where p.polrelid = c.oid)
        and not exists (select from pg_depend d
            where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
) t
order by t.name
