alter table t alter id set increment by 10;
