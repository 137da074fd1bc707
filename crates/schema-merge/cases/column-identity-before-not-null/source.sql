alter table t alter id set not null; alter table t alter id add generated always as identity; alter table t add primary key (id);
