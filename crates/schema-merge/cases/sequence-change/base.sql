create sequence s1; create sequence s2; create table t (id int);
