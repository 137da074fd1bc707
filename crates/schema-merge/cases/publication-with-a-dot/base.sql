create table notes (id bigint primary key, a int);
