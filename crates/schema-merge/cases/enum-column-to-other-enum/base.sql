create type level as enum ('a', 'b'); create type grade as enum ('a', 'b', 'c'); create table t (id int primary key, l level default 'a'); create index t_l on t (l); insert into t values (1, 'b');
