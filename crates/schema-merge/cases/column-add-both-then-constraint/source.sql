alter table notes add column a int constraint a_ok check (a > 0); create index notes_a on notes (a); comment on column notes.a is 'a';
