create table a (id serial primary key, n int);
create table b (id int primary key);
create table c (id int primary key);
insert into a (n) select 1 from generate_series(1, 20);
insert into b select generate_series(1, 30);
insert into c select generate_series(1, 40);
