alter table notes drop column score;
