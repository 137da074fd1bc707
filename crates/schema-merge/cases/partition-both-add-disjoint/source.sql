create table parts_1 partition of parts for values from (0) to (10);
