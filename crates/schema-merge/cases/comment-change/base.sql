create table notes (id bigint generated always as identity primary key, title text not null, body text, score integer default 0);
comment on table notes is 'a'; comment on column notes.body is 'b';
