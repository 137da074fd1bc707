create function score(a int) returns bigint language sql return 1;
create table notes (id bigint primary key, body text);
