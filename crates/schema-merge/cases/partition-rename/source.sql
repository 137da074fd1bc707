alter table parts rename to pieces; alter table parts_1 rename to pieces_1; alter table pieces rename column b to c;
