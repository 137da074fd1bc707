alter table t alter l type text; drop type level; create type level as enum ('c', 'b', 'a'); alter table t alter l type level using l::level;
