alter table notes rename column score to points; alter table notes alter points type bigint;
