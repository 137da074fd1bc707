alter table children alter id drop not null;
