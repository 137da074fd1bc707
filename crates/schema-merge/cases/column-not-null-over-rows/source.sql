alter table notes alter body set not null;
