create table t (a int); create unique index u on t (a);
