alter table t alter id set cache 20;
