create schema a; create schema b; create table a.t (id int); create table b.t (id int); create table t (id int);
