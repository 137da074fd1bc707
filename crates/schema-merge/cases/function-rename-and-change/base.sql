create function f(a int) returns int language sql as 'select a';
create function f(a text) returns int language sql as 'select 1';
create view v as select f(1) as a, f('x'::text) as b;
