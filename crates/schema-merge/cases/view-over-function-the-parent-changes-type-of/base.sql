create function total() returns int language sql as 'select 1'; create table t (n varchar(5));
