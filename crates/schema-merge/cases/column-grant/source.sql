grant insert (a, b), update (b) on t to authenticated with grant option; revoke select (a) on t from anon; grant select (b) on t to anon;
