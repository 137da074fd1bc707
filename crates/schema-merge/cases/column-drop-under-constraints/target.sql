alter table t add column z int;
