create table grandchildren (score int) inherits (children);
