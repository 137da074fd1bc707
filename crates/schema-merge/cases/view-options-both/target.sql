create or replace view v as select id, title from notes;
