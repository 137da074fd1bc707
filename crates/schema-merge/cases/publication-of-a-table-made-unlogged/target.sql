alter table notes set unlogged;
