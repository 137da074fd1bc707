alter table notes add column b text;
