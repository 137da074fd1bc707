create table people (id int, name text, constraint old check (id > 0)); create table staff (salary int) inherits (people);
