create table notes (id bigint generated always as identity primary key, title text not null, body text, score integer default 0);
create index notes_body on notes (body) where body is not null; alter table notes add constraint body_ok check (body <> ''); create policy p on notes using (body is not null); create view v as select body from notes;
