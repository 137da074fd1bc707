drop statistics s1; alter statistics s2 rename to s22; drop statistics s3; create statistics s3 (ndistinct) on a, b from t; reset role; alter statistics s22 owner to tester;
