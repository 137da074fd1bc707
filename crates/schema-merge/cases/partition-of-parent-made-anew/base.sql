create table whole (a int not null, b text) partition by range (a); create table part partition of whole for values from (0) to (10); create view over_part as select * from part;
