alter table t alter a set not null;
