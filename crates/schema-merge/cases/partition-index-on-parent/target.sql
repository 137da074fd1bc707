create table parts_3 partition of parts for values from (20) to (30);
