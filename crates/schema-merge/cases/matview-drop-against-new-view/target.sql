create view v as select id from m;
