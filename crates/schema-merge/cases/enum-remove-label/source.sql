alter table t alter s type text; drop type status; create type status as enum ('draft', 'done'); alter table t alter s type status using s::status;
