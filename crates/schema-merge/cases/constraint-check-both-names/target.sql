alter table t add constraint high check (a < 10);
