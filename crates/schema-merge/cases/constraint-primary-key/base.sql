create table a (x int, y int); create table b (x int primary key); create table c (x int, y int, constraint c_key primary key (x)); create table d (x int constraint d_old primary key);
