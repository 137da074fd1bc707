drop index t_l; alter table t alter l drop default; alter table t alter l type text; alter table t alter l set default 'a'; create index t_l on t (l) where l = 'b'; drop type level;
