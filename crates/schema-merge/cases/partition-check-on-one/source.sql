alter table parts add constraint all_ok check (b > 0); alter table parts_1 add constraint one_ok check (b < 100);
