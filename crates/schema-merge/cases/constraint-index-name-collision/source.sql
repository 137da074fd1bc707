alter table t add constraint t_a unique (a);
