alter table t alter x type int; drop domain d; create domain d as bigint; alter table t alter x type d;
