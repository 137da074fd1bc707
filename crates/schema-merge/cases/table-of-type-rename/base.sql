create type person as (name text, born date);
create table people of person;
create table friends of person (born with options default '2000-01-01');
