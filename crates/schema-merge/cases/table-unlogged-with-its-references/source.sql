alter table streets set unlogged;
alter table cities set unlogged;
alter table countries set unlogged;
