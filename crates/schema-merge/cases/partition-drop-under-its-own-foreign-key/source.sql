alter table parts detach partition parts_2; drop table parts_2;
