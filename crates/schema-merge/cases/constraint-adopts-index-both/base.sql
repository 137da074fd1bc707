create table notes (id int not null);
create unique index notes_id on notes (id);
