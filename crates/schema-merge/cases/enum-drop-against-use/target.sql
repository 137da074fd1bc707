create table t (s status);
