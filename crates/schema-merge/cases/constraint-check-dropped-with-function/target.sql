alter table t add constraint c check (ok(a));
