alter table parents alter title set statistics 50;
