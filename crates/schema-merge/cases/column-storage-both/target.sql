alter table t alter a set statistics 50;
