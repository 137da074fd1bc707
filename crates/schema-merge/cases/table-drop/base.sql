create table notes (id bigint generated always as identity primary key, title text not null, body text, score integer default 0);
create table old_things (id serial primary key, n bigint references notes);
