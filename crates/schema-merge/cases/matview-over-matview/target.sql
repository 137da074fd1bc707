alter table t add column x int;
