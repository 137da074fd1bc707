create table parents (id bigint primary key, score int, score2 text);
create table children (a int) inherits (parents);
