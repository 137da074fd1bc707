create table p (id int primary key); create table t (a int, b int constraint r references p, constraint c check (a > 0));
