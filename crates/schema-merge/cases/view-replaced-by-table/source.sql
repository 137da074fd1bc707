drop view v; create table v (id bigint primary key);
