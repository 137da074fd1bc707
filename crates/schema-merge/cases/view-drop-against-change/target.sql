create or replace view a as select id, title from notes;
