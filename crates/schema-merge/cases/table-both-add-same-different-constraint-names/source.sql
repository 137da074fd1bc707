create table t (id int primary key, a int check (a > 0), unique (a)); grant select on t to anon;
