alter table t add column y int;
