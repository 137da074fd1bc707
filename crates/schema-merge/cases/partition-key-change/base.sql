create table t (a int not null, b int) partition by range (a);
