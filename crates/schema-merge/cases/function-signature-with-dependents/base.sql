create table notes (id bigint generated always as identity primary key, title text not null, body text, score integer default 0);
create function visible(n int) returns boolean language sql as 'select true'; create policy p on notes using (visible(score)); alter table notes add constraint c check (visible(score)); create view v as select visible(score) as ok from notes;
