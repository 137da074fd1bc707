alter table t add column v text;
