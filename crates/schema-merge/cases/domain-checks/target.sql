create table t (x d);
