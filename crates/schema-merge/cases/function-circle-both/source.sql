create function ping(a int) returns int language sql as 'select 1';
create function pong(a int) returns int language sql begin atomic select ping(a); end;
create or replace function ping(a int) returns int language sql begin atomic select case when a > 0 then pong(a - 1) else 0 end; end;
create view over_old as select old(id) as o from notes;
create or replace function old(a int) returns int language sql begin atomic select count(*)::int from over_old where o = a; end;
