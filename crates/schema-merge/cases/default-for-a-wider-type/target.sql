alter table notes alter score type bigint; alter table notes alter day type timestamptz;
