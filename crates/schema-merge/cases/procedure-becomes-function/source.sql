drop procedure p(int); create function p(a int) returns int language sql as 'select 1';
