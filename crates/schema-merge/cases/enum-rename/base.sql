create type status as enum ('a', 'b'); create table t (s status default 'a');
