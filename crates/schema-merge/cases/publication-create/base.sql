create table t (id int primary key, a text); create table u (id int primary key); create schema app;
