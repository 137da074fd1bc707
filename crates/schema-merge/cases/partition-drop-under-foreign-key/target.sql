alter table notes add column more text;
