alter table notes drop column score; alter table notes add column score text;
