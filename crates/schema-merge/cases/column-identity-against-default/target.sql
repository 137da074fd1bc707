alter table t alter id set default 5;
