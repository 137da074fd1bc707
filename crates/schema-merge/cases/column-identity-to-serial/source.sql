alter table t alter id drop identity; create sequence t_numbers; alter table t alter id set default nextval('t_numbers'); alter sequence t_numbers owned by t.id;
