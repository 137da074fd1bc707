reset role; alter table notes alter title type varchar(40);
