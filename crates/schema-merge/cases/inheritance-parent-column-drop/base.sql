create table people (id int, name text, extra text); create table staff (salary int) inherits (people);
