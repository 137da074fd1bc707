alter table sales add note text;
