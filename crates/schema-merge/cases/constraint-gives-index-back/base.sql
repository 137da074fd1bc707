create table notes (id int not null, constraint notes_id unique (id));
insert into notes values (1);
