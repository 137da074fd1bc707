drop view w; drop view v; create materialized view v as select id from notes; create view w as select id from v;
