drop policy p on notes; alter table notes drop column score;
