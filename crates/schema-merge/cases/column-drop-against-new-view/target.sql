create view v as select body from notes;
