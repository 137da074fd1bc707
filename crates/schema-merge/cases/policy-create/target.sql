alter table notes add column x int;
