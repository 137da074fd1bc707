create index parts_b on only parts (b); create index parts_1_b on parts_1 (b); alter index parts_b attach partition parts_1_b;
