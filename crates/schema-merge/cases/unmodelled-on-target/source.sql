alter table notes add column a int;
