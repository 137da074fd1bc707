alter table notes add column content text;
