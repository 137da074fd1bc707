create table staff (x int) inherits (people);
