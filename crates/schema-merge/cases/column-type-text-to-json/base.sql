create table t (a text); insert into t values ('{"b": 1}');
