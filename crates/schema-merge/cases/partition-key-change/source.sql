drop table t; create table t (a int not null, b int) partition by list (b);
