create index i1 on notes (body);
