alter table t alter l set default 'c';
