create table parts_2 partition of parts for values from (5) to (20);
