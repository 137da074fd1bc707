create function score() returns bigint language sql return 1;
create table notes (id bigint primary key, body text);
