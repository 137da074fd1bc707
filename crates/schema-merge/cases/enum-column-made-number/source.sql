alter table notes drop column feeling; alter table notes add column feeling int;
