create table t (a text, b text); alter table t alter b set statistics 300; alter table t alter b set (n_distinct = 10);
