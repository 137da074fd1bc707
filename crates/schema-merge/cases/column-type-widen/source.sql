alter table t alter a type varchar(20), alter b type text, alter c type bigint, alter d type numeric(10,2), alter e type int, alter f type varchar(5);
