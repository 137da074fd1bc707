drop index notes_state; alter table notes alter state type text; create index notes_state on notes (state);
