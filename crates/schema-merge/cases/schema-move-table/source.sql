alter table notes set schema archive;
