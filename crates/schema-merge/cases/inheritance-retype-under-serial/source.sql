create table special ("do.t" int) inherits (tags);
