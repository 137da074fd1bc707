alter table notes add column body text;
