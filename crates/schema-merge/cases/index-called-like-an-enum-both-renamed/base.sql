create type state as enum ('a', 'b'); create table t (s state); create index state on t (s);
