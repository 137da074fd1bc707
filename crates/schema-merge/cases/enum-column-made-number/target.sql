create index notes_feeling on notes (id) where id > 1;
