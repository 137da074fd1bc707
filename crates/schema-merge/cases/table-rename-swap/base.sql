create table a (id int); create table b (name text); insert into a values (1);
