create view v as select n.id, n.title from notes n where n.score > 1 and n.body is not null;
