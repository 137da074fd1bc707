alter table t rename column a to old_a; alter table t add column a bigint default 7;
