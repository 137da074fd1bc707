alter table parts alter b set default 'y', alter d type varchar(20);
