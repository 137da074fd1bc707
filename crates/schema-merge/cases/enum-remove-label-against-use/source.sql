alter table t alter l type text; drop type level; create type level as enum ('a', 'b'); alter table t alter l type level using l::level;
