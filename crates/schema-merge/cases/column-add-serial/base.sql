create table t (x text); insert into t values ('a'), ('b');
