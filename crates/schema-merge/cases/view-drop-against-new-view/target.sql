create view b as select id from a;
