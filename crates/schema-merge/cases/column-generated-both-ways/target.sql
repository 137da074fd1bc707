alter table t add column e int;
