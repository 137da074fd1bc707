alter table notes rename column body to text;
