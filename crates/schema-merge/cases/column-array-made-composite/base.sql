create type pair as (a int, b text);
create table notes (id bigint primary key, body text[]);
