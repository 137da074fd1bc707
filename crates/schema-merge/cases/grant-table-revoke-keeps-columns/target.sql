grant select (body) on notes to anon;
