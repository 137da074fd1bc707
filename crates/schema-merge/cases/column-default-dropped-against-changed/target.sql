alter table t alter a set default 2;
