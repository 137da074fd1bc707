create type old_kind as enum ('a'); create table t (id int, k old_kind);
