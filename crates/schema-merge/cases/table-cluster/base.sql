create table a (x int, y int); create index a_x on a (x); create index a_y on a (y); alter table a cluster on a_x; create table b (x int); create index b_x on b (x); alter table b cluster on b_x;
