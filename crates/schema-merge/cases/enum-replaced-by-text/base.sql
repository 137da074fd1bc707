create type level as enum ('a', 'b'); create table t (id int primary key, l level default 'a' not null); create index t_l on t (l) where l = 'b';
