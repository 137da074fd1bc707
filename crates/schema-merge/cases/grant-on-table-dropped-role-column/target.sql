grant select on m to anon; grant select on notes to anon;
