alter sequence s rename to numbers;
