alter table t add constraint ok check (a > 1);
