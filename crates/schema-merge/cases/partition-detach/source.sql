alter table parts detach partition parts_1;
