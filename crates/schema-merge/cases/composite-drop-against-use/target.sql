create table t (a address);
