create table t (id int, x text);
