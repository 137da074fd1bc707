alter table a rename constraint a_pkey to old_a_pkey; alter table a rename to old_a; create table a (id bigint primary key, x text);
