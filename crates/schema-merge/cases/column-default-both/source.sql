alter table notes alter score set default 1;
