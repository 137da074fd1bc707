create function f(a int) returns bigint language sql as 'select 1::bigint';
create view v as select id, f(id) as n from notes;
create or replace function f(a int) returns bigint language sql begin atomic select count(*) from v where id = a; end;
create function g(r v) returns int language sql begin atomic select r.id; end;
