create or replace view v as select id from notes where score > 2;
