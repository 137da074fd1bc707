alter table t alter a type varchar(5), alter b type int, alter c type date, alter d type int;
