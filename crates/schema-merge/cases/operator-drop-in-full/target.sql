alter table prices add c int;
