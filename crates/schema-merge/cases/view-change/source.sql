create or replace view v as select id, title from notes; create view x as select title from v;
