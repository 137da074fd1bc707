create table people (id int, name varchar(10)); create table staff (salary int) inherits (people);
