alter table notes rename column body to content;
