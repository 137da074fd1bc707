create table notes (id int not null, title text);
alter default privileges in schema public grant usage on sequences to anon;
