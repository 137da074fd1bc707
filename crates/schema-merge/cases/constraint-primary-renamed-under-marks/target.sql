alter table t add column other int;
