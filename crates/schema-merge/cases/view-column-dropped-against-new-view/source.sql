drop view texts; create view texts as select id, title from notes;
