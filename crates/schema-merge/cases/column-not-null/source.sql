alter table notes alter body set not null; alter table notes alter title drop not null;
