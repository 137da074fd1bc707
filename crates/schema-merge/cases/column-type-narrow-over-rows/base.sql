create table t (b bigint);
