alter table cache add column z int;
