create domain d as int; create table t (x d);
