create table parts_2 partition of parts for values from (10) to (20); alter table parts_2 alter b set default 5; create index parts_2_a on parts_2 (a);
