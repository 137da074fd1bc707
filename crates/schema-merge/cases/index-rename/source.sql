alter index i1 rename to i2;
