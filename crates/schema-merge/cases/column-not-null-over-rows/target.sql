insert into notes (title) values ('without body');
