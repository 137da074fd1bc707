alter sequence s increment by 4 cache 5;
