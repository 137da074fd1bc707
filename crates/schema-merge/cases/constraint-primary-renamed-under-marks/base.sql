create table t (id bigint primary key, n int); alter table t cluster on t_pkey; alter table t replica identity using index t_pkey;
