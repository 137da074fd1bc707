alter table t alter b type int;
