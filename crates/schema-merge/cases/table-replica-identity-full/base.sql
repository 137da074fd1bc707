create table a (id int primary key); create table b (id int primary key); create table c (id int primary key); alter table c replica identity full;
