alter table t add constraint t_key primary key (a);
