create table people (id int, name text not null, constraint named check (name <> ''));
