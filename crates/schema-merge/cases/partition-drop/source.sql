drop table parts_1;
