alter table parents drop column score; alter table parents add column score numeric(10,2);
