create table t (a int constraint a_old check (a > 0));
