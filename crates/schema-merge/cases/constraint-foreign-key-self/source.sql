alter table t drop constraint f; alter table a drop constraint a_b;
