alter table tags alter id type bigint;
