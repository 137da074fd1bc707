alter table p alter id type bigint;
