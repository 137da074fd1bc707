create index i on notes (body);
