create view x as select id from v;
