alter table notes alter column body set not null;
