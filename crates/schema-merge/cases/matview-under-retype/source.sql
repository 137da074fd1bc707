alter table notes alter score type bigint;
