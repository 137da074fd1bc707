create table notes (id bigint primary key, score int, day date);
