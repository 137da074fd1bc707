alter table t alter a set compression pglz; alter table t alter b set compression default;
