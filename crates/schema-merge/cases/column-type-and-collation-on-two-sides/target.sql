alter table t alter a type varchar(10) collate "C";
