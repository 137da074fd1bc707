create index i9 on notes (score);
