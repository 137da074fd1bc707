create view v as select * from notes;
