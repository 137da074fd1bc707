create table t (a int not null); create sequence s;
