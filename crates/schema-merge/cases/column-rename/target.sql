create index notes_score on notes (score); alter table notes add constraint body_long check (length(body) < 1000);
