alter sequence s increment by 3;
