create type kind as enum ('a', 'b'); alter table t alter k drop default; alter table t alter k type kind using k::kind; alter table t alter k set default 'a';
