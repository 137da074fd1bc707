create table notes (id bigint primary key, body text); create view listed as select * from notes;
