create table b (id int, x int); create or replace view v as select id from b; drop table a;
