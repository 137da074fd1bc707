create table people (id int, name text default 'n', born date); create table staff (salary int) inherits (people); create table guests (id int, host text) inherits (people);
