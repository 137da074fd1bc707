create table children (amount int) inherits (parents);
