create table t (a int, b int); create statistics s1 on a, b from t; create statistics s2 on a, b from t; create statistics s3 (mcv) on a, b from t;
