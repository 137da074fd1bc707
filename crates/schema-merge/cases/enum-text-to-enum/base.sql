create table t (id int, k text default 'a');
