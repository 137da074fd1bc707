alter table notes rename to articles; alter table articles add column x int;
