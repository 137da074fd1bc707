create index parts_b on parts (b);
