grant select (id) on v to anon;
