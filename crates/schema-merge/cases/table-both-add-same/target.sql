create table t (a text, id int primary key); create index t_a on t (a);
