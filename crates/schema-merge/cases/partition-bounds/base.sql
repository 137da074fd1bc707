create table parts (a int not null) partition by range (a); create table parts_1 partition of parts for values from (0) to (10); insert into parts values (1);
