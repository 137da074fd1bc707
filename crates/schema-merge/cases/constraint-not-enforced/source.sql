alter table t drop constraint c; alter table t add constraint c check (a > 0) not enforced; alter table t alter constraint r not enforced; alter table t add constraint d check (b > 0) not enforced;
