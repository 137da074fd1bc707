create table notes (id int not null, slug text not null, kind text);
create unique index notes_pk on notes (id);
create unique index notes_slug on notes (slug) include (kind);
insert into notes values (1, 'one', 'a');
