create function f(a int, b int default 1) returns boolean language sql as 'select true'; create view v as select f(1) as x; create table t (a int); create policy p on t using (f(a));
