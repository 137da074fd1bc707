alter table notes alter score set default 9;
