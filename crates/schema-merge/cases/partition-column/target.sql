create table parts_2 partition of parts for values from (10) to (20);
