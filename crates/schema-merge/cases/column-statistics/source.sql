alter table t alter a set statistics 1000; alter table t alter b set statistics -1; alter table t alter b reset (n_distinct); alter table t alter a set (n_distinct_inherited = -0.5);
