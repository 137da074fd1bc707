create table t (a point); insert into t values ('(1,2)');
