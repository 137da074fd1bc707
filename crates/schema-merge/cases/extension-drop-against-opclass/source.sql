create index notes_trgm on notes using gin (title gin_trgm_ops);
