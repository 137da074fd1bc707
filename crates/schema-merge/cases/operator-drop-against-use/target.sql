create view v as select point(1, 2) <<< point(2, 3) as x;
