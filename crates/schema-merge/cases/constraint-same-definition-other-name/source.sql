alter table t add constraint one unique (a);
