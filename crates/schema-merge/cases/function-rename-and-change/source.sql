alter function f(int) rename to g; create or replace function f(a text) returns int language sql as 'select 2';
