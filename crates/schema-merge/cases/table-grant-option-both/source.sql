grant select on notes to anon with grant option;
