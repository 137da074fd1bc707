alter table notes drop column body; alter table notes add column body pair;
