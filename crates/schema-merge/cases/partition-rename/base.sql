create table parts (a int not null, b int) partition by range (a); create table parts_1 partition of parts for values from (0) to (10); create index parts_b on parts (b);
