revoke all on notes from anon; grant select (title), update (body) on notes to anon; grant delete on notes to anon;
