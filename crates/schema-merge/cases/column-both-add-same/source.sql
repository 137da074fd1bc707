alter table notes add column a int not null default 1;
