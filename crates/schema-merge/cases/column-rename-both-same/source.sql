alter table notes rename column body to content; alter table notes alter content set not null;
