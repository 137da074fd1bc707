create or replace function f(a int) returns int language sql as 'select 3';
