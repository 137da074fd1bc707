alter table notes rename to memos;
