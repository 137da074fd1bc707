create table t (a int primary key, constraint ok check (a > 0)); comment on constraint ok on t is 'x';
