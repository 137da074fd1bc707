alter table t alter a drop default; alter table t alter a type uuid using null;
