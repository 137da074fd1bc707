create type status as enum ('draft', 'review', 'done'); create table t (id int primary key, s status);
