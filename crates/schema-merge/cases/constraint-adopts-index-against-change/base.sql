create table notes (id int not null);
create unique index notes_pk on notes (id);
