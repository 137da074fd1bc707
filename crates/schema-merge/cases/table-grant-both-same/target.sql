grant select on notes to anon;
