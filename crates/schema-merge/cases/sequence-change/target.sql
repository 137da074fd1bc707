alter sequence s1 cache 10;
