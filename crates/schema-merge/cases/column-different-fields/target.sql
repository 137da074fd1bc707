alter table notes alter score set default 7;
