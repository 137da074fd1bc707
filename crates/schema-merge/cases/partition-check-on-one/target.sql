alter table parts_1 alter b set not null;
