alter table t alter a type text;
