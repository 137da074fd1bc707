alter table notes add column s status;
