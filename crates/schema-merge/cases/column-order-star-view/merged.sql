create view v as select id, title, body, score from notes;
