alter table t alter b drop expression; alter table t alter b set default 5;
