create type person as (name text, born date, height int);
create table people of person (name primary key);
create view tall as select name from people where height > 180;
insert into people values ('Ann', '2000-01-01', 170);
