create table notes (id int primary key, title text, body text);
create view texts as select id, title, body from notes;
