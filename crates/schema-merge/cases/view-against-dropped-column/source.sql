create view v as select id, body from notes;
