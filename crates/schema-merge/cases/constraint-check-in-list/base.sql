create table t (a text check (a in ('x', 'y')), b varchar(5) check (b in ('p', 'q')), c int check (c is not distinct from 1));
