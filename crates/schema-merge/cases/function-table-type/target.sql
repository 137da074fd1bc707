alter table notes add column z int;
