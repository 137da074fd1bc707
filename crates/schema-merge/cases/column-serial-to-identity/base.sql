create table t (id serial primary key, x text); insert into t (x) values ('a'), ('b');
