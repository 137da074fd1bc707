alter table t drop constraint c; alter table t add constraint c check (a > 0); alter table t alter constraint r enforced;
