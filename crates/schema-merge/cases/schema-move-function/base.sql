create schema lib; create function f(a int) returns int language sql as 'select a';
