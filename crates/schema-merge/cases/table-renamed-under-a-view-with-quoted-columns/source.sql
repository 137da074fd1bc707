create view listed as select * from notes;
