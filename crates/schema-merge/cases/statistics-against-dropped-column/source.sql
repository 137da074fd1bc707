create statistics s1 on a, b from t;
