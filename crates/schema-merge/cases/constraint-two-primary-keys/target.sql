alter table t add constraint t_b primary key (b);
