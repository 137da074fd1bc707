alter table aparts alter kind set statistics 50;
