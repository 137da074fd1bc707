create view names as select name from people;
alter table people alter born set not null;
