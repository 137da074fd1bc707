grant select on t to anon; grant select (id) on v to anon;
