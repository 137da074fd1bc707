alter table notes alter id drop not null;
