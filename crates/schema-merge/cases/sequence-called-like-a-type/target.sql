alter table t add column note ids;
