alter table t alter id add generated always as identity;
