create table people (id int); create table staff (salary int) inherits (people);
