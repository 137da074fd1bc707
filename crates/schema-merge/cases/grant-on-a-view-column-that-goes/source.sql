drop view listed; create view listed as select count(*) as n from notes;
