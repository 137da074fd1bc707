create table tags (id serial primary key, name varchar(40) unique not null, note_id bigint references notes on delete cascade, created_at timestamptz not null default now(), constraint name_ok check (name <> ''));
create index tags_note on tags (note_id) where name is not null;
