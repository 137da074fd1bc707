comment on column t.a is 'a'; alter table t alter c set default 'c';
