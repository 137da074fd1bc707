alter table t add constraint low check (a > 0);
