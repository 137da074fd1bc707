create table t (id int generated always as identity primary key, x text); insert into t (x) values ('a');
