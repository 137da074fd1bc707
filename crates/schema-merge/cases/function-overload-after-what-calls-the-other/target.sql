alter table notes alter id set statistics 50;
