alter table notes add column pinned boolean default false; create index notes_body on notes (body);
