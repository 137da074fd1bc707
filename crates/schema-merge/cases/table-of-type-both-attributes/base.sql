create type person as (name text);
create table people of person (name primary key);
