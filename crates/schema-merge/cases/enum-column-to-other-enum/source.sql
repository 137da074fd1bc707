alter table t alter l drop default; alter table t alter l type grade using l::text::grade; alter table t alter l set default 'a';
