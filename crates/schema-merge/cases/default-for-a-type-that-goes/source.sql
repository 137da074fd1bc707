alter table notes alter body set default '{}';
