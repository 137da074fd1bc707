grant select (title) on notes to anon; revoke select on notes from anon; grant select (title) on notes to anon;
