create table notes (id int primary key, title text);
create materialized view titles as select title from notes;
reset role; alter table notes owner to tester;
