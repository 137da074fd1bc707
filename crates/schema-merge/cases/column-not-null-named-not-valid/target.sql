alter table notes add column score int;
