create or replace rule a as on update to notes where new.score = 5 do instead nothing; drop rule b on notes; alter rule c on notes rename to cc; alter table notes disable rule d;
