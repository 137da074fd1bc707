alter table notes rename to articles;
