alter table people alter name type varchar(20); alter table people alter id type bigint;
