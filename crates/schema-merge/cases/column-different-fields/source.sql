alter table notes alter score set not null;
