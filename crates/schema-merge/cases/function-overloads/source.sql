create or replace function f(text) returns int language sql as 'select 20'; drop function f(int, int); create function f(bigint) returns int language sql as 'select 4';
