create index notes_i on notes (title);
