alter table t add column extra int;
