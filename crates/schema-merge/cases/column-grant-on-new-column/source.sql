alter table t add column b text; grant select (b) on t to anon;
