drop policy p on m; drop function f(notes); drop view w; drop view v; drop table notes;
