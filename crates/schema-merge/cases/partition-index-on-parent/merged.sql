create index parts_b on parts (b) where b is not null; create unique index parts_a on parts (a, b);
