create sequence s; create table t (a int);
