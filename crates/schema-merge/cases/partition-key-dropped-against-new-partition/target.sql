create table parts partition of wholes for values from (10) to (20);
