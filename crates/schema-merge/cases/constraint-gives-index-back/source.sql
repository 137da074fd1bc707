alter table notes drop constraint notes_id; create unique index notes_id on notes (id);
