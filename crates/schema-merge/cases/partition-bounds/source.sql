alter table parts detach partition parts_1; alter table parts attach partition parts_1 for values from (0) to (100);
