drop table t; create table t (a int not null, b text) partition by range (a); create table t_1 partition of t for values from (0) to (10);
