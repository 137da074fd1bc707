alter table notes rename column title to text;
