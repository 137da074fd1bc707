alter table notes add column a text;
