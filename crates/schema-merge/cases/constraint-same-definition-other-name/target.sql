alter table t add constraint other unique (a);
