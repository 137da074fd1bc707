create table t (id int generated always as identity (start with 1));
