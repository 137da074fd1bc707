alter table notes alter score set default 5; alter table notes add column y int;
