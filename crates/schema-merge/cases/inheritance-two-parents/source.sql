create table c (z int) inherits (a, b);
