alter table notes add column body text;
alter sequence notes_id_seq cache 5;
