create table people (id int default 1, name text default 'a'); create table staff (salary int) inherits (people);
