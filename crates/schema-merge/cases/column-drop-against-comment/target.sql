comment on column notes.score is 'points'; grant select (score) on notes to anon;
