alter table notes add column b int constraint b_ok check (b > 0); create index notes_b on notes (b); comment on column notes.b is 'b';
