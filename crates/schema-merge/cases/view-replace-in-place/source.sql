create or replace view v as select id, title, score from notes;
