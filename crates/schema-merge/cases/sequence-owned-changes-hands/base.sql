create table notes (id serial primary key, title text);
