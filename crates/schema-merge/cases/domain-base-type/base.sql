create domain d as int; create table t (x d); insert into t values (1);
