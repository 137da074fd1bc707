alter table t alter a drop default;
