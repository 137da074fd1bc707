alter table t add column d int;
