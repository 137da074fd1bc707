drop view w; drop view v; drop function f(); create function f() returns bigint language sql as 'select 1::bigint'; create view v as select f() as x; create view w as select x from v;
