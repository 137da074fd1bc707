alter table t add constraint t_a primary key (a);
