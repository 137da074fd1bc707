create table t (id int primary key, a int check (a > 0), unique (a)); comment on table t is 'x';
