alter table t add constraint u unique (a);
