create table notes (id int primary key, state varchar(20)); create index notes_state on notes (state); alter table notes enable row level security;
