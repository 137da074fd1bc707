alter table countries set unlogged;
