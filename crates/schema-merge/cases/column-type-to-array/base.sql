create table t (a text); insert into t values ('{x,y}');
