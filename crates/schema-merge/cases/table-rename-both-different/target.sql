alter table notes rename to posts;
