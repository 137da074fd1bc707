create statistics st (ndistinct, dependencies, mcv) on a, b from t; create statistics ex on lower(c), a from t; alter statistics st set statistics 200; comment on statistics st is 'x';
