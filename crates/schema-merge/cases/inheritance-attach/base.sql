create table people (id int, name text); create table a (id int, name text, x int); create table b (y int) inherits (people);
