create table t (id int, a int, r int4range, constraint k unique (a), constraint x exclude using gist (r with &&));
