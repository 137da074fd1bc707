alter table notes alter score set default 1 + 1; alter table notes alter day set default current_date;
