create table notes (id bigint generated always as identity primary key, title text not null, body text, score integer default 0);
create index notes_title on notes (title); create policy p on notes using (title is not null); create view v as select id, title from notes;
