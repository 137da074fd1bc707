alter table t alter a drop not null;
