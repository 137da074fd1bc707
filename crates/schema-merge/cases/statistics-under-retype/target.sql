create statistics s1 (dependencies) on a, b from t; comment on statistics s1 is 'kept';
