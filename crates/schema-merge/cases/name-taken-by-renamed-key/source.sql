create view letters as select id from notes;
