alter table t add column kind varchar(9) constraint t_kind check (kind in ('a', 'b'));
