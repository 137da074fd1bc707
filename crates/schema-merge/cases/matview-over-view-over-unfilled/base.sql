create table notes (id bigint primary key, tags text[]);
create materialized view collected as select * from notes with no data;
