drop table parts;
